// What every page needs: the search key, the folding navigation, menus, dialogs, times that keep up.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("has-js");

  // The server draws times in the reader's own zone once it knows it.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes(`zone=${encodeURIComponent(zone)}`)) {
    document.cookie = `zone=${encodeURIComponent(zone)};path=/;max-age=31536000;samesite=lax`;
  }

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target)) {
      const box = document.getElementById("search-box");
      if (box) {
        event.preventDefault();
        box.focus();
        box.select();
      }
    }
    if (event.key === "Escape") {
      closeMenus(null, true);
      clearAnswers();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") walkAnswers(event);
  });

  function closeMenus(except, refocus) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu === except) continue;
      if (refocus && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  }

  function clearAnswers() {
    const answers = document.getElementById("search-answers");
    if (answers) answers.replaceChildren();
  }

  function walkAnswers(event) {
    const search = event.target.closest(".topbar-search");
    if (!search) return;
    const stops = [document.getElementById("search-box"), ...search.querySelectorAll(".search-answers a")];
    const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    closeMenus(target.closest("details.menu"), false);
    if (!target.closest(".topbar-search")) clearAnswers();

    const toggle = target.closest("[data-toggle]");
    if (toggle) {
      const part = document.getElementById(toggle.dataset.toggle);
      const open = part.toggleAttribute("data-open");
      toggle.setAttribute("aria-expanded", String(open));
    }

    const opener = target.closest("[data-dialog-open]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.dialogOpen).showModal();
    }
    const closer = target.closest("[data-dialog-close]");
    if (closer) closer.closest("dialog").close();
    if (target.nodeName === "DIALOG") target.close(); // a click on the backdrop

    const copier = target.closest("[data-copy]");
    if (copier && navigator.clipboard) {
      const source = document.getElementById(copier.dataset.copy);
      navigator.clipboard.writeText(source.value ?? source.textContent.trim()).then(() => {
        copier.textContent = copier.dataset.copied || copier.textContent;
      });
    }
  });

  // A destructive step may ask to type a word first: <input data-confirm-word="DELETE">.
  document.addEventListener("input", (event) => {
    const word = event.target.dataset.confirmWord;
    if (word === undefined) return;
    const button = event.target.form.querySelector("[data-confirm-button]");
    button.disabled = event.target.value.trim() !== word;
  });

  // <select data-submits> sends its form: lists without htmx, the language switch.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("data-again")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
