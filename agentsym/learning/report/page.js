"use strict";
// Light or dark by hand, and all steps open or closed at once; the page tells everything without this, too.
(() => {
  const root = document.documentElement;
  const isDark = () =>
    (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const kept = (value) => {
    try {
      if (value) localStorage.setItem("agentsym-theme", value);
      return localStorage.getItem("agentsym-theme");
    } catch {
      return null; // no storage for files opened from disk
    }
  };
  if (kept()) root.dataset.theme = kept();
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
  });

  const steps = document.getElementById("steps");
  const details = steps ? [...steps.querySelectorAll("details.step, details.steps")] : [];
  if (details.length > 1) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "all";
    button.textContent = "open all";
    button.addEventListener("click", () => {
      const open = details.some((step) => !step.open);
      for (const step of details) step.open = open;
      button.textContent = open ? "close all" : "open all";
    });
    steps.querySelector("h2").append(button);
  }
  const opened = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  addEventListener("hashchange", opened);
  opened();
})();
