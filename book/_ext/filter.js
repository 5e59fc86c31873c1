// The form above the scoreboard and the glossary: only what contains all words stays. Without scripts the page shows everything.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("filter");
  const { chapter, source, words } = form.elements;
  const count = form.querySelector("output");
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase(); // é as e
  // A claim is a row of its chapter's table; an entry has terms and a definition. Each may be found by its heading too.
  const claims = (group) => [...group.querySelectorAll("tbody tr")].map((row) => [row]);
  const terms = (group) => [...group.querySelectorAll("dl.glossary > dd")].map((definition) => {
    const entry = [definition];
    while (entry[0].previousElementSibling?.matches("dt")) entry.unshift(entry[0].previousElementSibling);
    return entry;
  });
  const isBoard = form.dataset.what === "claims";
  const groups = [...document.querySelectorAll(isBoard ? ".filter-group" : "section:has(> dl.glossary)")].map((box) => {
    const title = isBoard ? box.querySelector(".scoreboard-chapter").textContent.trim() : "";
    const items = (isBoard ? claims : terms)(box).map((nodes) => ({
      nodes, text: plain([title, ...nodes.map((node) => node.textContent)].join(" ")),
    }));
    return { box, title, items };
  });
  const all = groups.flatMap(({ items }) => items).length;

  function show() {
    const wanted = plain(words.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    groups.forEach(({ box, items }, index) => {
      let here = 0;
      for (const { nodes, text } of items) {
        const fits = (!chapter?.value || chapter.value === String(index))
          && (!source?.value || nodes[0].cells[3].textContent.trim() === source.value)
          && wanted.every((word) => text.includes(word));
        for (const node of nodes) node.hidden = !fits;
        here += fits;
      }
      box.hidden = here === 0;
      shown += here;
    });
    const hint = shown ? "" : ": use fewer or shorter words, or the search, which reads every page";
    count.textContent = `${shown} of ${all} ${form.dataset.what}${hint}`;
  }

  if (isBoard) groups.forEach(({ title }, index) => chapter.add(new Option(title, index)));
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
});
