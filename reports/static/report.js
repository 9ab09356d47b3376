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

const dark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
/** Figures have a rendering for each ground. */
function showGround() { document.documentElement.dataset.ground = dark() ? "dark" : "light"; }
showGround();

/** Pictures wait until they are in sight. On paper all of them are, and from a disk none costs much. */
function loadPictures() { for (const image of document.images) image.loading = "eager"; }
addEventListener("beforeprint", loadPictures);
if (location.protocol === "file:") addEventListener("load", loadPictures);

/** A new element: `attributes` are set as they are, children are elements or text. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Let a button put a text on the clipboard; it stays hidden where the browser offers none. */
function enableCopy(button, text = () => button.dataset.copy) {
  if (!navigator.clipboard) return;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 1500);
  });
}

/** Dialogs close by their button, by a click beside them, and by Escape (the browser's own). */
function enableClosing(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

/** Bring something to the top of the window, out of everything that is folded or filtered. */
function reveal(target) {
  for (let outer = target; outer; outer = outer.parentElement) if (outer.tagName === "DETAILS") outer.open = true;
  target.scrollIntoView({ block: target.matches("section") ? "start" : "center", inline: "nearest", behavior: "instant" });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-copy]").forEach((button) => enableCopy(button));

  const button = document.querySelector(".theme");
  const name = () => {
    showGround();
    button.querySelector(".words").textContent = dark() ? "Light colours" : "Dark colours";
  };
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
