// The book's decoder in a web page: one token at a time, with a key/value cache.
// Each part has the name that it has in genai_tutorial/transformer. The other files of
// the engine: bpe.js turns text into tokens and back, kernel.js multiplies matrices by
// vectors, and sampling.js draws the next token from the logits that are computed here.

class Decoder {
  // buffer: what pack_model wrote. code: the bytes of the kernel; null for plain JavaScript.
  static async create(buffer, code) {
    const model = new Decoder(), length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    // The kernel's memory holds all weights, each rounded up to a multiple of four numbers,
    // and the longest vectors of a product. Tables with more rows are only looked up.
    const shapes = Object.values(header.tensors).map(({ shape }) => shape);
    const numbers = shapes.reduce((sum, shape) => sum + 3 + shape.reduce((a, b) => a * b), 0);
    const widest = Math.max(...shapes.flatMap(([rows, columns = 0]) => [columns, Math.min(rows, 1 << 16)]));
    model.kernel = code ? await Kernel.create(code, numbers, widest) : new PlainKernel();
    model.config = header.config;
    model.tokenizer = makeTokenizer(header.tokenizer);
    model.readWeights(buffer, 4 + length, header.tensors);
    model.rotations = rotations(header.config);
    model.reset();
    return model;
  }

  // Values, levels and scales are places in the buffer, in bytes.
  // "blocks.0.attention.query.weight" becomes this.blocks[0].attention.query.weight.
  readWeights(buffer, start, tensors) {
    for (const [name, { shape, values, levels, scales }] of Object.entries(tensors)) {
      const [rows, columns = 1] = shape, count = rows * columns;
      const weight = { rows, columns, values: this.kernel.reserve(count) };
      if (values !== undefined) {
        weight.values.set(new Float32Array(buffer, start + values, count));
      } else {
        const level = new Int8Array(buffer, start + levels, count);
        const scale = new Float32Array(buffer, start + scales, rows);
        for (let row = 0, i = 0; row < rows; row++)
          for (let column = 0; column < columns; column++, i++) weight.values[i] = level[i] * scale[row];
      }
      const path = name.split("."), last = path.pop();
      path.reduce((part, key) => (part[key] ??= {}), this)[last] = weight;
    }
  }

  reset() {
    const { layers, context_length, width, attention } = this.config;
    const cacheSize = (width / attention.heads) * attention.key_value_heads * context_length;
    const forEachLayer = (make) => Array.from({ length: layers }, make);
    this.length = 0; // how many tokens have been read
    this.previous = [0, 0]; // the last two of them
    this.keys = forEachLayer(() => new Float32Array(cacheSize));
    this.values = forEachLayer(() => new Float32Array(cacheSize));
    this.before = forEachLayer(() => [new Float32Array(width), new Float32Array(width)]); // inputs of the convolutions
  }

  // Reads one token and returns the logits of the next one.
  step(token) {
    if (this.length === this.config.context_length) throw new Error("The context window is full.");
    const x = this.embed(token);
    for (let layer = 0; layer < this.config.layers; layer++) {
      const block = this.blocks[layer];
      let read = this.norm(x, block.attention_norm);
      read = this.convolve(read, block.attention_convolution, layer, 0);
      add(x, this.attend(read, block.attention, layer));
      read = this.norm(x, block.feed_forward_norm);
      read = this.convolve(read, block.feed_forward_convolution, layer, 1);
      add(x, this.feedForward(read, block.feed_forward));
    }
    this.length += 1;
    this.previous = [token, this.previous[0]];
    return this.multiply(this.head ?? this.token_embedding, this.norm(x, this.final_norm));
  }

  multiply(layer, x) { return this.kernel.multiply(layer.weight, x); }

  // The token's vector, and those of the pair and the triple that it completes.
  embed(token) {
    const x = row(this.token_embedding, token), tables = this.ngram_embedding?.tables;
    if (!tables) return x;
    const ids = [token, ...this.previous], vectors = [];
    for (const [order, table] of Object.entries(tables)) {
      const size = BigInt(this.config.vocab_size), rows = BigInt(table.weight.rows);
      let number = 0n; // BigInt: the products are too large for a double's 53 bits
      for (let i = 0; i < order; i++) number += BigInt(ids[i]) * size ** BigInt(i);
      if (rows !== size ** BigInt(order)) number = ((number * 2654435761n) % 4294967291n) % rows;
      vectors.push(...row(table, Number(number)));
    }
    return add(x, this.multiply(this.ngram_embedding.project, Float32Array.from(vectors)));
  }

  // RMSNorm of x, or of each head's part of it.
  norm(x, { weight }) {
    const size = weight.rows, epsilon = this.config.norm.epsilon ?? 1e-6, out = new Float32Array(x.length);
    for (let start = 0; start < x.length; start += size) {
      let squares = 0;
      for (let i = 0; i < size; i++) squares += x[start + i] ** 2;
      const scale = 1 / Math.sqrt(squares / size + epsilon);
      for (let i = 0; i < size; i++) out[start + i] = x[start + i] * scale * weight.values[i];
    }
    return out;
  }

  // The short convolution: adds the previous token's vector, with a weight per feature.
  convolve(x, convolution, layer, which) {
    if (!convolution) return x;
    const before = this.before[layer][which], gain = convolution.weight.values;
    this.before[layer][which] = x;
    return x.map((value, i) => value + before[i] * gain[i]);
  }

  // Grouped-query attention of the new token to all tokens so far.
  attend(x, part, layer) {
    const { heads, key_value_heads } = this.config.attention, size = x.length / heads, now = this.length;
    let query = this.multiply(part.query, x), key = this.multiply(part.key, x);
    if (part.query_norm) [query, key] = [this.norm(query, part.query_norm), this.norm(key, part.key_norm)];
    this.rotate(query, size);
    this.rotate(key, size);
    const width = key_value_heads * size, keys = this.keys[layer], values = this.values[layer];
    keys.set(key, now * width);
    values.set(this.multiply(part.value, x), now * width);
    const mixed = new Float32Array(x.length), scores = new Float32Array(now + 1);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * key_value_heads) / heads) * size; // with other query heads
      for (let t = 0; t <= now; t++) {
        let product = 0;
        for (let i = 0; i < size; i++) product += query[head * size + i] * keys[t * width + shared + i];
        scores[t] = product / Math.sqrt(size);
      }
      const weights = softmax(scores);
      for (let t = 0; t <= now; t++)
        for (let i = 0; i < size; i++) mixed[head * size + i] += weights[t] * values[t * width + shared + i];
    }
    return this.multiply(part.output, mixed);
  }

  // Rotary positions: features i and i + size / 2 of each head are turned together.
  rotate(x, size) {
    const half = size / 2, angle = this.length * half, { cosines, sines } = this.rotations;
    for (let start = 0; start < x.length; start += size) {
      for (let i = 0; i < half; i++) {
        const a = x[start + i], b = x[start + half + i], cosine = cosines[angle + i], sine = sines[angle + i];
        x[start + i] = a * cosine - b * sine;
        x[start + half + i] = b * cosine + a * sine;
      }
    }
  }

  feedForward(x, part) {
    let wide = this.multiply(part.widen, x);
    if (part.gate) {
      const gate = this.multiply(part.gate, x);
      wide = wide.map((value, i) => (value * gate[i]) / (1 + Math.exp(-gate[i]))); // SwiGLU
    } else {
      wide = wide.map((value) => Math.max(value, 0) ** 2);
    }
    return this.multiply(part.output, wide);
  }
}

function add(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
  return x;
}

function row({ weight }, index) {
  return weight.values.slice(index * weight.columns, (index + 1) * weight.columns);
}

// The cosines and sines of all positions, computed once.
function rotations({ context_length, width, attention }) {
  const half = width / attention.heads / 2;
  const cosines = new Float32Array(context_length * half), sines = new Float32Array(context_length * half);
  for (let position = 0, place = 0; position < context_length; position++) {
    for (let i = 0; i < half; i++, place++) {
      const angle = position * attention.rotary_base ** (-i / half);
      cosines[place] = Math.cos(angle);
      sines[place] = Math.sin(angle);
    }
  }
  return { cosines, sines };
}
