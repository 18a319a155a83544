// The server draws the tree; this keeps what a person does meanwhile: text typed on, choices made, buttons pressed.
"use strict";

(() => {
  let action = ""; // of the request on its way
  let sent = null; // what the inputs held when it left; null when none is on its way
  let drawn = null; // what the inputs of the new tree held at first; null when none is new
  let kept = [];
  let waiting = ""; // the action of a button pressed meanwhile

  const inputs = () => [...document.querySelectorAll("#tree input[id], #tree select[id]")];
  const isTree = (event) => event.detail.target?.id === "tree";

  // Removing a node, or a property of an event, moves those behind it up by one: so do the ids of their inputs.
  function moved(id) {
    const [verb, path, place] = action.split(":");
    let stem, index;
    if (verb === "remove" && path.includes(".")) {
      const cut = path.lastIndexOf(".");
      [stem, index] = [`node-${path.slice(0, cut).replaceAll(".", "-")}-`, Number(path.slice(cut + 1))];
    } else if (verb === "unwhere") {
      [stem, index] = [`node-${path.replaceAll(".", "-")}-w`, Number(place)];
    } else {
      return id;
    }
    const match = id.startsWith(stem) && /^(\d+)(.*)$/.exec(id.slice(stem.length));
    if (!match || Number(match[1]) < index) return id;
    return Number(match[1]) === index ? "" : `${stem}${match[1] - 1}${match[2]}`;
  }

  // The same for the place that a button names.
  function movedAction(value) {
    const [verb, path, place] = value.split(":");
    if (!path) return value;
    const id = moved(`node-${path.replaceAll(".", "-")}${verb === "unwhere" ? `-w${place}` : ""}`);
    if (!id) return "";
    const [, there, property] = /^node-(.*?)(?:-w(\d+))?$/.exec(id);
    return [verb, there.replaceAll("-", "."), property ?? place].filter((part) => part !== undefined).join(":");
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!isTree(event)) return;
    action = event.detail.elt.name === "action" ? event.detail.elt.value : "";
    sent = new Map(inputs().map((input) => [input.id, input.value]));
  });

  // A button pressed while the tree is on its way would be gone with the old tree: it is pressed again in the new one.
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest?.("#tree button[name=action]");
      if (!button || !sent) return;
      event.preventDefault();
      event.stopPropagation();
      waiting = button.value;
    },
    true,
  );

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isTree(event) || !sent) return;
    const focus = document.activeElement;
    kept = inputs()
      .filter((input) => sent.has(input.id) && sent.get(input.id) !== input.value)
      .map((input) => ({
        id: moved(input.id),
        value: input.value,
        caret: input === focus && input.tagName === "INPUT" ? input.selectionStart : null,
        focused: input === focus,
      }));
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (!isTree(event)) return;
    drawn = new Map(inputs().map((input) => [input.id, input.value]));
    for (const { id, value, caret, focused } of kept) {
      const input = document.getElementById(id);
      if (!input) continue;
      if (focused) input.focus();
      if (input.value !== value) input.value = value;
      if (caret !== null) input.setSelectionRange(caret, caret);
    }
    kept = [];
  });

  // Only now do the new inputs listen. A choice draws the tree again; a text does so when it is left, or was left.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!isTree(event) || !drawn) return;
    const wanted = waiting && movedAction(waiting);
    const again = wanted && document.querySelector(`#tree button[name=action][value="${CSS.escape(wanted)}"]`);
    const changed = inputs().filter((input) => drawn.get(input.id) !== input.value);
    [sent, drawn, waiting] = [null, null, ""];
    if (again) {
      again.click(); // sends the whole form, what changed included
      return;
    }
    for (const input of changed) {
      const left = input.tagName === "SELECT" || input !== document.activeElement;
      input.dispatchEvent(new Event(left ? "change" : "input", { bubbles: true }));
    }
  });

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      if (isTree(event)) [sent, drawn, waiting] = [null, null, ""];
    });
  }
})();
