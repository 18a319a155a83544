// Writing and previewing a message: values put in at the caret, a preview that follows, devices, the person chosen.
"use strict";

(() => {
  const frame = document.getElementById("preview-frame");
  const form = document.getElementById("message-form");
  const button = document.getElementById("preview-button");
  const state = { person: new URLSearchParams(window.location.search).get("person") || "", view: "desktop" };

  function showPreview() {
    if (!frame) return;
    frame.classList.toggle("phone", state.view === "phone");
    const plain = state.view === "plain" ? "plain" : "";
    if (form) {
      document.getElementById("preview-view").value = plain;
      form.requestSubmit(button);
      return;
    }
    const address = new URL(frame.dataset.base, window.location.origin);
    if (state.person) address.searchParams.set("person", state.person);
    if (plain) address.searchParams.set("view", plain);
    frame.src = address.pathname + address.search;
  }

  // The check comes back when typing pauses; the frame follows it.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target && event.detail.target.id === "message-check") showPreview();
  });

  document.addEventListener("click", (event) => {
    const view = event.target.closest("[data-preview]");
    if (view) {
      state.view = view.dataset.preview;
      for (const other of document.querySelectorAll("[data-preview]")) {
        other.setAttribute("aria-pressed", String(other === view));
      }
      showPreview();
    }
    const person = event.target.closest("[data-person]");
    if (person) {
      if (!form) {
        // The heading, the subject and the test follow the person too, so the page is drawn again.
        const address = new URL(window.location.href);
        address.searchParams.set("person", person.dataset.person);
        address.hash = "what";
        window.location.assign(address);
        if (address.href === window.location.href) window.location.reload();
        return;
      }
      state.person = person.dataset.person;
      for (const id of ["preview-person", "test-person"]) {
        const field = document.getElementById(id);
        if (field) field.value = state.person;
      }
      document.getElementById("people-found").replaceChildren();
      document.getElementById("find-person").value = person.textContent.trim();
      document.body.dispatchEvent(new Event("person-chosen"));
    }
  });

  // What the server refused is refused no more once it is being changed; the check beside it speaks from then on.
  if (form) {
    form.addEventListener("input", (event) => {
      const field = event.target.closest(".field");
      if (!field) return;
      for (const errors of field.querySelectorAll(".errors, .errorlist")) errors.remove();
      event.target.removeAttribute("aria-invalid");
    });
  }

  document.addEventListener("change", (event) => {
    const picker = event.target.closest("[data-inserts]");
    if (!picker || !picker.value) return;
    const text = document.getElementById(picker.dataset.inserts);
    const name = /^[A-Za-z_][\w-]*$/.test(picker.value) ? `person.${picker.value}` : `person["${picker.value}"]`;
    text.setRangeText(`{{ ${name} | default: "" }}`, text.selectionStart, text.selectionEnd, "end");
    text.setSelectionRange(text.selectionEnd - 4, text.selectionEnd - 4);
    picker.value = "";
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  });
})();
