// The section of pictures: a click compares the picture with the degraded input of its row.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("enlarged");
  if (!dialog) return;
  let row = [];
  let index = 0;

  const described = (button) => {
    const image = button.querySelector("img");
    return {
      name: button.parentElement.querySelector("figcaption b").textContent,
      thumbnail: image.src, full: image.dataset.full, width: image.width, height: image.height,
    };
  };
  const show = (next) => {
    index = (next + row.length) % row.length;
    const heading = row[index].closest(".picture-row").querySelector("h3").textContent;
    const partner = row[index ? 0 : row.length - 1];
    const [left, right] = index ? [partner, row[index]] : [row[index], partner];
    dialog.querySelector("h2").textContent =
      `${heading}: ${described(row[index]).name} ${row[index].parentElement.querySelector(".psnr").textContent}`;
    dialog.querySelector(".panel-body").replaceChildren(comparison(described(left), described(right), heading));
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
  dialog.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step]");
    if (step) show(index + Number(step.dataset.step));
  });
  enableClosing(dialog);
});
