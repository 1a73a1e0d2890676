/* Enhancements only: everything works without. Own file, no library; see the console's policy. */
"use strict";

(() => {
  const EVERY_MS = 4000;

  /** A button that copies a block's text, where the browser allows copying. */
  function addCopyButtons() {
    if (!navigator.clipboard) return;
    for (const block of document.querySelectorAll("pre[data-copy]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = block.dataset.copy;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(block.textContent);
        } catch {
          return; // not allowed here: the text can still be marked by hand
        }
        button.textContent = block.dataset.copied;
        setTimeout(() => { button.textContent = block.dataset.copy; }, 1500);
      });
      block.before(button);
    }
  }

  /** Renews the live part while the page is looked at; the focus stays where it is. */
  function keepFresh(part) {
    let running = false;
    async function renew() {
      if (running || document.hidden || part.contains(document.activeElement)) return;
      running = true;
      try {
        const answer = await fetch(part.dataset.live, { credentials: "same-origin", cache: "no-store" });
        if (answer.status === 401) { location.reload(); return; }
        part.classList.toggle("stale", !answer.ok);
        if (answer.ok) {
          const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
          part.replaceChildren(...fresh.body.childNodes);
          part.querySelectorAll(".scroll").forEach((one, place) => { one.scrollLeft = scrolled[place] ?? 0; });
        }
      } catch {
        part.classList.add("stale"); // the front end is away: what is shown is old
      } finally {
        running = false;
      }
    }
    setInterval(renew, EVERY_MS);
  }

  addCopyButtons();
  const live = document.getElementById("live");
  if (live) keepFresh(live);
})();
