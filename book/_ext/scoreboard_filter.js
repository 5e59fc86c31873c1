// The controls above the scoreboard: chapter, source and words. Without scripts the page shows every claim.
(() => {
  const form = document.getElementById("scoreboard-filter");
  const count = form.querySelector("output");
  const words = form.elements.words;
  const headings = document.querySelectorAll(".scoreboard-chapter");
  const tables = [...document.querySelectorAll("table.scoreboard")].map((table, index) => ({
    table: table.closest(".pst-scrollable-table-container") || table,
    heading: headings[index],
    rows: [...table.tBodies[0].rows],
  }));
  const all = tables.flatMap((part) => part.rows).length;

  function show() {
    const source = form.elements.source.value, chapter = form.elements.chapter.value;
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    tables.forEach(({ table, heading, rows }, index) => {
      let here = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = (!chapter || chapter === String(index))
          && (!source || row.cells[3].textContent.trim() === source)
          && wanted.every((word) => text.includes(word));
        row.hidden = !fits;
        here += fits;
      }
      table.hidden = heading.hidden = here === 0;
      shown += here;
    });
    count.textContent = `${shown} of ${all} claims`;
  }

  tables.forEach(({ heading }, index) => form.elements.chapter.add(new Option(heading.textContent.trim(), index)));
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
