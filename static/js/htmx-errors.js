// Say it when a partial update fails, instead of leaving the old content in silence.
"use strict";

(() => {
  function say(text) {
    const place = document.getElementById("live-messages");
    if (!place) return;
    const notice = document.createElement("li");
    notice.className = "notice notice-error";
    notice.dataset.live = "";
    notice.textContent = text;
    place.replaceChildren(notice);
  }

  const texts = document.body.dataset;

  document.addEventListener("htmx:sendError", () => say(texts.offline));
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status === 401 || status === 403) say(texts.forbidden);
    else say(texts.failed);
  });
  // A form that was refused comes back with its errors and status 400, 409 or 422: show it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    const html = (event.detail.xhr.getResponseHeader("Content-Type") || "").startsWith("text/html");
    if (html && [400, 409, 422].includes(status) && !event.detail.serverResponse.startsWith("<!")) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  // Only what was said here: a notice of the server ("Saved.") stays while parts of the page come in.
  document.addEventListener("htmx:afterSwap", () => {
    for (const notice of document.querySelectorAll("#live-messages [data-live]")) notice.remove();
  });
})();
