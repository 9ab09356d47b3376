"use strict";

// Copy buttons stay hidden where the browser offers no clipboard.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}

// Enlarged pictures: the dialog shows the same inlined picture; arrow keys go through its row.
const dialog = document.getElementById("enlarged");
if (dialog) {
  const image = dialog.querySelector("img");
  let row = [];
  let index = 0;

  const show = (next) => {
    index = (next + row.length) % row.length;
    const source = row[index].querySelector("img");
    image.src = source.src;
    image.alt = source.alt;
    dialog.style.setProperty("--ratio", source.naturalWidth / source.naturalHeight);
    const caption = row[index].parentElement.querySelector("figcaption");
    dialog.querySelector("figcaption").replaceChildren(
      ...[...caption.childNodes].map((node) => node.cloneNode(true)));
    dialog.querySelector(".position").textContent = `${index + 1} of ${row.length}`;
  };

  for (const section of document.querySelectorAll(".picture-row")) {
    const pictures = [...section.querySelectorAll(".picture")];
    pictures.forEach((button, position) => button.addEventListener("click", () => {
      row = pictures;
      show(position);
      dialog.showModal();
    }));
  }
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      show(index + step);
    }
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === dialog || (button && "close" in button.dataset)) dialog.close();
    else if (button) show(index + Number(button.dataset.step));
  });
  dialog.addEventListener("close", () => row[index].focus());
}
