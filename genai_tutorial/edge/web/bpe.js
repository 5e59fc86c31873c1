// The book's tokenizers in a web page: characters, and byte-level byte-pair encoding.

// How a text is split into words, whose boundaries no token crosses: as in
// genai_tutorial/tokenization/patterns.py, with the long s that counts as an s there.
const PATTERNS = {
  gpt2: /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
  gpt4: /'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu,
  smollm2: /\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?![^\p{White_Space}\p{N}])|\p{White_Space}+/gu,
};

function makeTokenizer(packed) {
  return packed.characters ? new CharacterTokenizer(packed) : new BPETokenizer(packed);
}

class CharacterTokenizer {
  constructor({ characters }) {
    this.characters = [...characters];
    this.tokenBytes = this.characters.map((character) => new TextEncoder().encode(character));
    this.ids = new Map(this.characters.map((character, id) => [character, id]));
  }
  encode(text) {
    const unknown = [...new Set(text)].filter((character) => !this.ids.has(character));
    if (unknown.length) throw new Error(`This model has never seen ${unknown.join(" ")}. It knows ${this.characters.join("").trim()}`);
    return [...text].map((character) => this.ids.get(character));
  }
}

class BPETokenizer {
  // merges: how many of them to use, for a smaller vocabulary.
  constructor(packed, merges = Infinity) {
    const pairs = new Uint16Array(fromBase64(packed.merges)), first = packed.first_merge;
    this.pattern = PATTERNS[packed.pattern];
    this.byteIds = packed.byte_ids;
    this.specialTokens = packed.special_tokens;
    this.tokenBytes = Array.from({ length: first }, () => new Uint8Array());
    packed.byte_ids.forEach((id, byte) => (this.tokenBytes[id] = Uint8Array.of(byte)));
    for (const [text, id] of Object.entries(this.specialTokens)) this.tokenBytes[id] = new TextEncoder().encode(text);
    this.merged = new Map(); // from a pair to the token that it becomes; earlier merges have lower numbers
    for (let i = 0; i < Math.min(pairs.length / 2, merges); i++) {
      const [left, right] = [pairs[2 * i], pairs[2 * i + 1]];
      this.merged.set(left * 65536 + right, first + i);
      this.tokenBytes.push(Uint8Array.of(...this.tokenBytes[left], ...this.tokenBytes[right]));
    }
  }

  // A special token in the text is encoded as ordinary text.
  encode(text) {
    const words = text.toWellFormed ? text.toWellFormed() : text;
    return (words.match(this.pattern) ?? []).flatMap((word) => this.encodeWord(word));
  }

  // Merges the pair of the lowest rank, the leftmost first, until there is none.
  encodeWord(word) {
    const ids = Array.from(new TextEncoder().encode(word), (byte) => this.byteIds[byte]);
    for (;;) {
      let best = Infinity, place = -1;
      for (let i = 0; i + 1 < ids.length; i++) {
        const token = this.merged.get(ids[i] * 65536 + ids[i + 1]) ?? Infinity;
        if (token < best) [best, place] = [token, i];
      }
      if (place < 0) return ids;
      ids.splice(place, 2, best);
    }
  }
}

// ChatML with one question, as in genai_tutorial/tokenization/chat.py.
function chatPrompt(tokenizer, question, { start, end }) {
  const [open, close] = [tokenizer.specialTokens[start], tokenizer.specialTokens[end]];
  const encode = (text) => tokenizer.encode(text);
  return [open, ...encode(`user\n${question}`), close, ...encode("\n"), open, ...encode("assistant\n")];
}

// Turns tokens into text one by one. A character whose bytes are in several tokens appears
// with the last of them.
function streamDecoder(tokenizer) {
  const decoder = new TextDecoder();
  return (id) => (id === undefined ? decoder.decode() : decoder.decode(tokenizer.tokenBytes[id], { stream: true }));
}

function fromBase64(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}
