// Pictures and figures at full size: a picture beside its partner, a figure as it is.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("enlarged");
  const [title, body] = [dialog.querySelector("h2"), dialog.querySelector(".panel-body")];
  let show = () => {};
  let count = 0;
  let index = 0;

  const described = (image, name) => ({ name, address: image.currentSrc || image.src, width: image.naturalWidth || image.width, height: image.naturalHeight || image.height });

  function open(from, many, draw) {
    [show, count] = [draw, many];
    step(from);
    dialog.showModal();
    dialog.scrollTop = 0;
  }
  function step(next) {
    index = (next + count) % count;
    show(index);
    dialog.querySelector(".position").textContent = `${index + 1} of ${count}`;
  }

  /** Each with the first of its row, the first with the last: input with output, input with truth. */
  function pairs(pictures, heading, captions) {
    return (at) => {
      const [left, right] = at ? [pictures[0], pictures[at]] : [pictures[0], pictures.at(-1)];
      title.textContent = `${heading}: ${captions[at]}`;
      body.replaceChildren(comparison(left, right, heading));
    };
  }

  for (const section of document.querySelectorAll(".picture-row")) {
    const buttons = [...section.querySelectorAll(".picture")];
    const heading = section.querySelector("h3").textContent.trim();
    buttons.forEach((button, at) => button.addEventListener("click", () => {
      const names = buttons.map((one) => one.parentElement.querySelector("figcaption b").textContent);
      const pictures = buttons.map((one, place) => described(one.querySelector("img"), names[place]));
      const captions = buttons.map((one, place) => `${names[place]} ${one.parentElement.querySelector(".psnr").textContent}`);
      open(at, buttons.length, pairs(pictures, heading, captions));
    }));
  }
  for (const button of document.querySelectorAll(".compare-three")) {
    button.addEventListener("click", () => {
      const images = [...button.querySelectorAll("img")];
      const pictures = images.map((image) => described(image, image.dataset.name));
      const heading = button.parentElement.querySelector("b").textContent;
      open(1, images.length, pairs(pictures, heading, pictures.map((one) => one.name)));
    });
  }
  const figures = [...document.querySelectorAll(".enlarge")];
  figures.forEach((button, at) => button.addEventListener("click", () => open(at, figures.length, (place) => {
    const shown = [...figures[place].querySelectorAll("img")].find((image) => image.getClientRects().length) ?? figures[place].querySelector("img");
    const whole = element("img", { src: shown.src, alt: shown.alt, width: shown.getAttribute("width"), height: shown.getAttribute("height") });
    title.textContent = figures[place].closest("section").querySelector("h3").textContent.trim();
    body.replaceChildren(element("div", { class: "whole-figure", tabindex: "0", role: "group", "aria-label": title.textContent }, whole));
  })));

  dialog.addEventListener("click", (event) => {
    const by = event.target.closest("[data-step]");
    if (by) step(index + Number(by.dataset.step));
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target.closest(".compare-range, .compare-view, .whole-figure")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) step(index + by);
  });
  enableClosing(dialog);
});
