"use strict";

// Runs in the head, so that the chosen colours are there before anything is drawn.
const THEME = "ndr-report-theme";

/** What the browser remembers; null where storage is refused (private windows, some files). */
function remembered() {
  try { return localStorage.getItem(THEME); } catch { return null; }
}

function remember(theme) {
  try { localStorage.setItem(THEME, theme); } catch { /* the choice holds for this view only */ }
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");
if (["light", "dark"].includes(remembered())) document.documentElement.dataset.theme = remembered();

/** A new element: `attributes` are set as they are, children are elements or text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Give a copy button its task; it stays hidden where the browser offers no clipboard. */
function enableCopy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

/** Dialogs close by their button, by a click beside them, and by Escape (the browser's own). */
function enableClosing(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-copy]").forEach(enableCopy);

  const button = document.querySelector(".theme");
  const dark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = dark() ? "Light colours" : "Dark colours"; };
  button.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    remember(theme);
    name();
  });
  systemDark.addEventListener("change", name);
  name();
  button.hidden = false;
});
