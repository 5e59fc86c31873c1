// The keyboard reaches what scrolls. The theme measures when the page loads and when the window changes; a fold that
// opens and a font that arrives change what scrolls too.
document.addEventListener("DOMContentLoaded", () => {
  const boxes = document.querySelectorAll("article pre, article .cell_output > .output, article .pst-scrollable-table-container");
  const measure = (box) => {
    box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
  };
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => measure(target)));
  document.fonts.ready.then(() => boxes.forEach((box) => observer.observe(box)));
});
