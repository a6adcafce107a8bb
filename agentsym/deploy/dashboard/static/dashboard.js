"use strict";
// Keeps the figures of a page fresh while somebody looks at it; all pages work without this, too.
(() => {
  const live = document.getElementById("live");
  const updates = document.getElementById("updates");
  if (!live || !updates) return;

  let paused = false;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Pause updates";
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on updating" : "Pause updates";
  });
  updates.append(button);

  const said = document.getElementById("announced");
  const version = () => document.getElementById("live-version").textContent;
  const isRead = () => live.contains(document.activeElement) || !getSelection().isCollapsed;

  const refresh = async () => {
    if (paused || document.hidden || isRead()) return;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) return location.reload(); // the session has ended
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      if (!fresh || fresh.innerHTML === live.innerHTML || isRead()) return;
      const open = new Set([...live.querySelectorAll("details[open]")].map((details) => details.id));
      for (const details of fresh.querySelectorAll("details")) details.open = open.has(details.id);
      const before = version();
      live.replaceChildren(...fresh.childNodes);
      if (version() !== before) said.textContent = `The live version is now ${version()}.`;
    } catch {
      said.textContent = "The server does not answer; what is shown may be old.";
    }
  };
  setInterval(refresh, 1000 * Number(live.dataset.refresh));
  document.addEventListener("visibilitychange", refresh);
})();
