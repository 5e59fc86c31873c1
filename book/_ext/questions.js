// Says whether an answer is correct and, for a typical wrong one, why it is wrong.
for (const field of document.querySelectorAll(".question")) {
  const { choice, number, within, wrong } = JSON.parse(field.dataset.answer);
  const say = field.querySelector("output");
  field.addEventListener("change", (event) => {
    const text = event.target.value.trim().replace(/[\s%]/g, "").replace("−", "-");
    if (!text) { say.textContent = ""; return; }
    const plain = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text.replace(",", ".");
    const value = Number(plain);
    const near = (other, room) => Math.abs(value - other) <= room + 1e-9;
    const correct = number === undefined ? value === choice : near(number, within);
    const hint = Object.entries(wrong).find(([other]) => near(Number(other), number === undefined ? 0 : Math.abs(other) / 100));
    say.textContent = correct ? "✓ Correct." : Number.isNaN(value) ? "Please enter a number." : `✗ ${hint ? hint[1] : "Not yet."}`;
    if (correct) field.querySelector("details").open = true;
  });
}
