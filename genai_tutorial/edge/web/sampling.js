// From logits to text: temperature, top-p, and the generation loop.

function softmax(scores) {
  let largest = -Infinity, sum = 0;
  for (const score of scores) largest = Math.max(largest, score);
  const out = Float64Array.from(scores, (score) => Math.exp(score - largest));
  for (const value of out) sum += value;
  return out.map((value) => value / sum);
}

// The probability with which each token is drawn: temperature first, then top-p.
function nextTokenProbabilities(logits, temperature = 1, topP = 1) {
  if (temperature === 0) {
    const best = logits.indexOf(Math.max(...logits));
    return Float64Array.from(logits, (_, token) => Number(token === best));
  }
  const largest = Math.max(...logits);
  const probabilities = softmax(Float64Array.from(logits, (logit) => (logit - largest) / temperature));
  if (topP === 1) return probabilities;
  const ranked = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const kept = new Float64Array(logits.length);
  let sum = 0;
  for (const token of ranked) {
    if (sum >= topP) break; // the tokens so far are enough
    kept[token] = probabilities[token];
    sum += probabilities[token];
  }
  return kept.map((probability) => probability / sum);
}

// Draws a token. number: uniformly distributed between 0 and 1.
function draw(probabilities, number) {
  let token = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    token = i;
    if ((number -= probabilities[i]) < 0) break;
  }
  return token;
}

// Yields the tokens that continue a prompt. When the context window is full, the model
// starts afresh with the last half of it.
function* generate(model, prompt, count, { temperature = 1, topP = 1, stop = [] } = {}) {
  const size = model.config.context_length;
  let ids = [...prompt];
  const read = (text) => { model.reset(); return text.map((token) => model.step(token)).pop(); };
  let logits = read(ids.slice(-size));
  for (let i = 0; i < count; i++) {
    const token = draw(nextTokenProbabilities(logits, temperature, topP), Math.random());
    if (stop.includes(token)) return;
    ids.push(token);
    yield token;
    if (i + 1 === count) return;
    logits = model.length < size ? model.step(token) : read(ids.slice(-size / 2));
  }
}
