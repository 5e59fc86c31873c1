// On the page of the search: `glossary` has the term and the definition of each entry, by its anchor.
// A page opened from the disk may not read the others, so there the results have no excerpts.
// A term that is the query comes first; then come titles, other terms, mentions in chapters and on other pages, the package.
document.addEventListener("DOMContentLoaded", () => {
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  const query = new URLSearchParams(location.search).get("q")?.trim().toLowerCase();
  Scorer.score = (result) => {
    const [page, title, anchor, , score] = result;
    if (page === "book/glossary" && glossary[anchor]) {
      const [term, definition] = glossary[anchor];
      [result[1], result[3]] = [term, `Glossary: ${definition}`];
      return score === 100 ? score : score / 3;
    }
    if (page.startsWith("notebooks/")) return (title.toLowerCase().includes(query) ? 4 : 3) * score;
    return page.startsWith("book/api/") || page.startsWith("_modules/") ? score / 10 : score;
  };
});
