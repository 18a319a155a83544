// Keep "4 minutes ago" true while the page is open. The exact time stays in the title.
"use strict";

(() => {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  const steps = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ];

  function relative(seconds) {
    const age = Math.abs(seconds);
    for (const [unit, size] of steps) {
      if (age >= size) return words.format(-Math.trunc(seconds / size), unit);
    }
    return words.format(-Math.trunc(seconds), "second");
  }

  function refresh() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (Math.abs(seconds) < 7 * 86400) time.textContent = relative(seconds);
    }
  }

  refresh();
  setInterval(refresh, 10000);
  document.addEventListener("htmx:afterSwap", refresh);
})();
