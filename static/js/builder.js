// Keep what was typed while the server was drawing the tree again.
"use strict";

(() => {
  let sent = new Map();
  let typed = new Map();
  const inputs = () => document.querySelectorAll("#tree input[id], #tree select[id]");

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.id !== "tree") return;
    sent = new Map([...inputs()].map((input) => [input.id, input.value]));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id !== "tree") return;
    const changed = [...inputs()].filter((input) => sent.get(input.id) !== input.value);
    typed = new Map(changed.map((input) => [input.id, input.value]));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "tree" || !typed.size) return;
    for (const [id, value] of typed) {
      const input = document.getElementById(id);
      if (!input || input.value === value) continue;
      input.value = value;
      input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
    }
    typed = new Map();
  });
})();
