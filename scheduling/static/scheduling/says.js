// Writes below a chart what the bar under the pointer or the finger stands for. The table behind the chart says the
// same to whoever has neither.

const show = (event) => {
  const bar = event.target instanceof Element ? event.target.closest("[data-line]") : null;
  const line = bar && document.getElementById(bar.closest("[data-says]")?.dataset.says);
  if (line) {
    line.textContent = bar.dataset.line;
  }
};

document.addEventListener("pointerover", show);
document.addEventListener("pointerdown", show);
