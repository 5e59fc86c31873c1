// Says whether an answer is correct and, for a typical wrong one, why it is wrong.
document.addEventListener("change", (event) => {
  const field = event.target.closest(".question");
  if (!field) return;
  const { choice, number, within, wrong } = JSON.parse(field.dataset.answer);
  const text = event.target.value.replace(/[\s%]/g, "").replace("−", "-");
  const thousands = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text);
  const value = Number(text === "" ? NaN : text.replaceAll(",", thousands ? "" : "."));
  const near = (other, room) => Math.abs(value - other) <= room + 1e-9;
  const correct = number === undefined ? value === choice : near(number, within);
  const hint = Object.entries(wrong).find(([other]) => near(other, number === undefined ? 0 : Math.abs(other) / 100));
  const say = field.querySelector("output");
  if (correct) say.textContent = "✓ Correct.";
  else if (Number.isNaN(value)) say.textContent = "Enter a number.";
  else say.textContent = `✗ ${hint ? hint[1] : "Not yet."}`;
  if (correct) field.querySelector("details").open = true;
});
