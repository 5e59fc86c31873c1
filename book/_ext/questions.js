// Says whether an answer is correct and, for a typical wrong one, why it is wrong.
document.addEventListener("change", (event) => {
  const field = event.target.closest(".question");
  if (!field) return;
  const { choice, number, within, wrong } = JSON.parse(field.dataset.answer);
  const text = event.target.value.replace(/[\s%]/g, "").replace("−", "-");
  // In "4,159", the comma may stand for the point or between thousands.
  const thousands = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text);
  const values = [text.replace(",", "."), thousands ? text.replaceAll(",", "") : ""].map((one) => (one ? Number(one) : NaN));
  const near = (other, room) => values.some((value) => Math.abs(value - other) <= room + 1e-9);
  const correct = number === undefined ? near(choice, 0) : near(number, within);
  const hint = Object.entries(wrong).find(([other]) => near(other, number === undefined ? 0 : Math.abs(other) / 100));
  const say = field.querySelector("output");
  if (correct) say.textContent = "✓ Correct.";
  else if (values.every(Number.isNaN)) say.textContent = "Enter a number.";
  else say.textContent = `✗ ${hint ? hint[1] : "Not yet."}`;
  if (correct) field.querySelector("details").open = true;
});
