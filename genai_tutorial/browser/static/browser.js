// Turns the recorded text of a box into a box that runs a model, or a tokenizer, in this page.
// Nothing is requested before the reader's click, and nothing after the model has been loaded.
(function () {
  "use strict";
  const edge = (globalThis.genaiEdge ??= { models: {} });
  edge.loading ??= {};

  function element(tag, parent, properties, attributes = {}) {
    const node = Object.assign(document.createElement(tag), properties);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return parent.appendChild(node);
  }

  function button(parent, text, act) {
    const node = element("button", parent, { type: "button", textContent: text });
    node.addEventListener("click", act);
    return node;
  }

  function field(parent, label, tag, value) {
    const node = element(tag, element("label", parent, { textContent: label }), { value, spellcheck: false });
    if (tag === "input") node.type = "text";
    else node.rows = 3;
    return node;
  }

  function slider(parent, name, { min, max, step, value }, show = (number) => number.toFixed(1)) {
    const label = element("label", parent, {});
    element("span", label, { textContent: name });
    const input = element("input", label, { type: "range", min, max, step });
    const shown = element("output", label, {}, { "aria-live": "off" });
    const update = () => {
      shown.textContent = show(+input.value);
      input.setAttribute("aria-valuetext", show(+input.value));
    };
    input.addEventListener("input", update);
    input.value = value;
    update();
    return input;
  }

  // --- Loading --------------------------------------------------------------------------------

  const root = document.documentElement.dataset.content_root; // of the book's pages; elsewhere undefined
  const pause = () => new Promise((resolve) => setTimeout(resolve));

  function insert(name) {
    return (edge.loading[name] ??= new Promise((resolve, reject) => {
      const script = element("script", document.head, { src: `${root}models/${name}.js` });
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => {
        delete edge.loading[name];
        script.remove();
        reject(new Error(edge.cut ? "The cable is cut. Reload this page to load the model." : `The file models/${name}.js did not load.`));
      });
    }));
  }

  const engines = (edge.engines ??= {});
  function load(name) {
    return (engines[name] ??= (async () => {
      if (!edge.Decoder) await insert("engine");
      if (!edge.models[name]) await insert(name);
      const fast = globalThis.WebAssembly?.validate(edge.kernelCode); // an old browser multiplies in plain JavaScript
      const model = await edge.Decoder.create(edge.fromBase64(edge.models[name].content), fast ? edge.kernelCode : null);
      edge.models[name].content = null; // the weights are in the kernel's memory now
      edge.loaded = performance.now();
      return model;
    })().catch((error) => {
      delete engines[name];
      throw error;
    }));
  }

  // What the browser has requested for this page since the last model was loaded.
  const requests = () => performance.getEntriesByType("resource").filter((entry) => entry.startTime > edge.loaded).length;

  const RUNNING = "Running in this page ...";
  const RECORDED = "The text below was recorded in advance. Load the model to compute in this page: what you type is sent nowhere.";

  // --- Parts that boxes share -----------------------------------------------------------------

  // A box of models: returns a function that runs a task with all models loaded, or stops the one that runs.
  // Quiet: say nothing when it runs again, because the result itself is announced.
  function machine(box, data, verb, task, quiet = false) {
    const row = element("div", box, { className: "genai-browser-row" });
    const names = data.models.map(({ name }) => name);
    const megabytes = data.models.reduce((sum, { size }) => sum + size, 0) / 1e6;
    const status = element("p", box, {}, { role: "status" });
    let running = null, ready = false;

    async function run() {
      if (running) return void (running.stopped = true);
      const run = (running = { stopped: false, count: 0, milliseconds: 0 });
      start.textContent = "Stop";
      if (!ready) status.textContent = `Loading ${megabytes.toFixed(1)} MB ...`;
      else if (!quiet) status.textContent = RUNNING;
      while (edge.running) { // another box may use the same model
        edge.running.stopped = true;
        await pause();
      }
      edge.running = run;
      try {
        const models = await Promise.all(names.map(load));
        if (!ready) status.textContent = RUNNING;
        ready = true;
        cable.disabled = Boolean(edge.cut);
        await pause(); // so that the page shows it
        await task(models, run);
        const speed = run.milliseconds ? `${Math.round((1000 * run.count) / run.milliseconds).toLocaleString("en")} tokens per second, ` : "";
        status.textContent = `Computed in this page: ${speed}requests sent since the model was loaded: ${requests()}.`;
      } catch (error) {
        status.textContent = error.message;
      }
      running = edge.running = null;
      start.textContent = verb;
    }

    const start = button(row, `Load ${names.length > 1 ? "the models" : "the model"} (${megabytes.toFixed(1)} MB) and ${verb.toLowerCase()}`, run);
    const cable = button(row, "Cut the cable", async () => {
      // From here on the browser refuses whatever this page asks of the network.
      const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";
      element("meta", document.head, { httpEquiv: "Content-Security-Policy", content: policy });
      edge.cut = true;
      cable.disabled = true;
      const refused = await new Promise((resolve) => {
        const script = element("script", document.head, { src: root === undefined ? document.location.href : `${root}models/engine.js` });
        script.addEventListener("load", () => resolve(false));
        script.addEventListener("error", () => resolve(true));
      });
      status.textContent = refused
        ? "The cable is cut: this page just tried to load a file, and the browser refused. The model goes on. Reload the page to connect it again."
        : "This browser did not cut the cable. Turn off the network yourself: the model goes on.";
    });
    cable.disabled = true;
    status.textContent = RECORDED;
    return { run, isReady: () => ready, isRunning: () => Boolean(running) };
  }

  // Screen readers wait with what changes in the node until the work is done.
  async function busy(node, work) {
    node.setAttribute("aria-busy", "true");
    await work.finally(() => node.setAttribute("aria-busy", "false"));
  }

  // Shows the tokens of an iterator one by one, and lets the page breathe.
  async function write(tokens, show, run) {
    let last = performance.now(), first = true;
    for (;;) {
      const before = performance.now(), { value, done } = tokens.next(), now = performance.now();
      if (done || run.stopped || !document.contains(show.node)) return;
      if (!first) {
        run.count += 1; // the first token waits until the prompt has been read
        run.milliseconds += now - before;
      }
      first = false;
      show(value);
      if (now - last > 30) {
        await pause();
        last = performance.now();
      }
    }
  }

  function writer(node, tokenizer) {
    const decode = edge.streamDecoder(tokenizer);
    return Object.assign((token) => node.append(decode(token)), { node });
  }

  // What was recorded in advance has a dashed line beside it until it is computed here.
  const RECORDED_MARK = "genai-browser-recorded";

  // --- The boxes ------------------------------------------------------------------------------

  function textBox(box, data) {
    const out = box.querySelector("pre");
    const prompt = field(box, "Begin the text", "textarea", data.prompt);
    const row = element("div", box, { className: "genai-browser-row" });
    const temperature = slider(row, "temperature", { min: 0, max: 2, step: 0.1, value: 0.8 });
    const topP = slider(row, "top-p", { min: 0.1, max: 1, step: 0.05, value: 1 }, (number) => number.toFixed(2));
    machine(box, data, "Write", async ([model], run) => {
      const ids = model.tokenizer.encode(prompt.value);
      if (!ids.length) throw new Error("Begin the text with at least one character.");
      out.textContent = prompt.value;
      out.classList.remove(RECORDED_MARK);
      const options = { temperature: +temperature.value, topP: +topP.value, stop: data.stop };
      await busy(out, write(edge.generate(model, ids, data.tokens, options), writer(out, model.tokenizer), run));
    });
    out.setAttribute("aria-live", "polite");
    out.classList.add(RECORDED_MARK);
    box.append(out);
  }

  function chatBox(box, data) {
    const log = box.querySelector(".genai-browser-log");
    const origin = (exchange, words) => exchange.firstChild.after(element("small", exchange, { textContent: ` · ${words}` }));
    for (const exchange of log.children) {
      exchange.classList.add(RECORDED_MARK);
      origin(exchange, "recorded");
    }
    const question = field(box, "Your question", "input", data.questions[0]);
    const row = element("div", box, { className: "genai-browser-row" });
    const temperature = slider(row, "temperature", { min: 0, max: 2, step: 0.1, value: 0 });
    const chat = machine(box, data, "Ask", async (models, run) => {
      const words = question.value.trim();
      if (!words) throw new Error("Type a question first.");
      const prompts = models.map((model, index) => {
        const { template } = data.models[index];
        const ids = template ? edge.chatPrompt(model.tokenizer, words, template) : model.tokenizer.encode(words);
        if (ids.length > model.config.context_length - data.tokens) throw new Error("This question is too long for the model.");
        return ids;
      });
      const exchange = element("div", log, { className: "genai-browser-exchange" });
      element("strong", exchange, { textContent: words });
      origin(exchange, "computed here");
      const list = element("dl", exchange, {});
      const answers = data.models.map(({ title }) => {
        const group = element("div", list, {});
        element("dt", group, { textContent: title });
        return element("dd", group, {});
      });
      for (const old of log.querySelectorAll(`.${RECORDED_MARK}`)) if (old.firstChild.textContent === words) old.remove();
      log.prepend(exchange); // the newest first
      while (log.children.length > 6) log.lastElementChild.remove();
      const answer = async () => {
        for (const [index, model] of models.entries()) {
          const options = { temperature: +temperature.value, stop: data.models[index].stop };
          await write(edge.generate(model, prompts[index], data.tokens, options), writer(answers[index], model.tokenizer), run);
        }
      };
      await busy(log, answer());
    });
    log.setAttribute("aria-live", "polite");
    question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !chat.isRunning()) chat.run();
    });
    if (data.questions.length > 1) {
      const more = element("div", box, { className: "genai-browser-row" });
      for (const text of data.questions) {
        button(more, text, () => {
          question.value = text;
          if (chat.isReady() && !chat.isRunning()) chat.run();
        });
      }
    }
    box.append(log);
  }

  const SIGNS = { " ": "space", "\n": "line break" };
  const sign = (text) => SIGNS[text] ?? text;

  function nextBox(box, data) {
    const table = box.querySelector("table"), summary = box.querySelector("p.genai-browser-summary");
    box.querySelector("pre").remove(); // the text stands in the field now
    const text = field(box, "Your text", "textarea", data.prompt);
    const decode = (model, id) => new TextDecoder().decode(model.tokenizer.tokenBytes[id]);
    let again = false;
    const next = machine(box, data, "Predict", async ([model]) => {
      const body = table.tBodies[0];
      body.replaceChildren(); // if the text cannot be read, no prediction stays for it
      summary.textContent = "";
      const ids = model.tokenizer.encode(text.value).slice(-model.config.context_length);
      if (!ids.length) throw new Error("Type at least one character.");
      model.reset();
      let nats = 0, probabilities = null;
      for (const id of ids) {
        if (probabilities) nats -= Math.log(probabilities[id]);
        probabilities = edge.nextTokenProbabilities(model.step(id));
      }
      const ranked = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, data.shown);
      for (const id of ranked) {
        const piece = decode(model, id), line = element("tr", body, {}), share = probabilities[id];
        const name = element("th", line, { scope: "row" });
        const add = button(name, sign(piece), () => {
          text.value += piece;
          text.dispatchEvent(new Event("input"));
        });
        add.setAttribute("aria-label", `Add ${sign(piece)}`);
        element("td", line, { textContent: `${(100 * share).toFixed(1)}%` });
        element("span", element("td", line, {}, { "aria-hidden": "true" }), { className: "genai-browser-bar" }).style.width = `${100 * share}%`;
      }
      const cost = ids.length > 1 ? ` Your text costs ${(nats / (ids.length - 1)).toFixed(2)} nats per ${data.unit}.` : "";
      summary.textContent = `Most probable next: ${sign(decode(model, ranked[0]))}.${cost}`;
    }, true);
    text.addEventListener("input", async () => {
      if (!next.isReady() || again) return;
      again = true; // one computation for many keystrokes
      await pause();
      while (next.isRunning()) await pause();
      again = false;
      next.run();
    });
    summary.setAttribute("aria-live", "polite");
    box.append(summary, table);
  }

  function tokensBox(box, data) {
    const list = box.querySelector("ol"), summary = box.querySelector("p.genai-browser-summary");
    const text = field(box, "Your text", "textarea", data.prompt);
    const row = element("div", box, { className: "genai-browser-row" });
    const merges = slider(row, "merges", { min: 0, max: data.stages.length - 1, step: 1, value: data.stages.length - 1 }, (stage) => data.stages[stage].toLocaleString("en"));
    const tokenizers = {}, LONGEST = 2000; // characters: each token is an element of the page
    function update() {
      const count = data.stages[+merges.value];
      const tokenizer = (tokenizers[count] ??= new edge.BPETokenizer(data.tokenizer, count));
      const read = text.value.slice(0, LONGEST), ids = tokenizer.encode(read), bytes = new TextEncoder().encode(read).length;
      list.replaceChildren();
      for (const id of ids) {
        const piece = new TextDecoder().decode(tokenizer.tokenBytes[id]).replaceAll(" ", "·").replaceAll("\n", "↵");
        element("small", element("li", list, { textContent: piece }), { textContent: id });
      }
      const cut = text.value.length > LONGEST ? `, in the first ${LONGEST.toLocaleString("en")} of ${text.value.length.toLocaleString("en")} characters` : "";
      summary.textContent = ids.length ? `${ids.length} tokens, ${(bytes / ids.length).toFixed(2)} bytes per token${cut}` : "No text, no tokens";
    }
    text.addEventListener("input", update);
    merges.addEventListener("input", update);
    summary.setAttribute("aria-live", "polite");
    box.append(summary, list);
    update();
  }

  const KINDS = { text: textBox, chat: chatBox, next: nextBox, tokens: tokensBox };
  document.querySelectorAll(".genai-browser:not([data-started])").forEach((box) => {
    const data = JSON.parse(box.querySelector('script[type="application/json"]').textContent);
    // Without the book's files and without the model in the output, the recorded text stays.
    if (root === undefined && data.models.some(({ name }) => !edge.models[name])) return;
    box.setAttribute("data-started", "");
    box.querySelector(".genai-browser-note").remove();
    KINDS[data.kind](box, data);
  });
})();
