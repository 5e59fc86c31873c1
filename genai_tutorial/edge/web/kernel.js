// The product of a matrix and a vector, which takes nearly all of the time.

// Multiplies matrices by vectors, in the memory of a WebAssembly module (matvec.wat).
class Kernel {
  // code: the module's bytes. numbers: how many to make room for. widest: the longest vector.
  static async create(code, numbers, widest) {
    const { instance } = await WebAssembly.instantiate(code);
    const kernel = new Kernel();
    kernel.memory = instance.exports.memory;
    kernel.run = instance.exports.matvec;
    kernel.end = 0;
    kernel.memory.grow(Math.ceil((4 * (numbers + 2 * widest) + 64) / 65536)); // pages of 64 KiB
    kernel.input = kernel.reserve(widest);
    kernel.output = kernel.reserve(widest);
    return kernel;
  }
  // Returns room for so many numbers in the module's memory.
  reserve(count) {
    const numbers = new Float32Array(this.memory.buffer, this.end, count);
    this.end += Math.ceil(count / 4) * 16; // the next one begins at a multiple of 16 bytes
    return numbers;
  }
  multiply(matrix, x) {
    this.input.set(x);
    this.run(matrix.values.byteOffset, this.input.byteOffset, this.output.byteOffset, matrix.rows, x.length);
    return this.output.slice(0, matrix.rows);
  }
}

// The same in plain JavaScript, where there is no WebAssembly.
function matvec({ rows, columns, values }, x) {
  const out = new Float32Array(rows);
  for (let row = 0, place = 0; row < rows; row++) {
    let a = 0, b = 0, c = 0, d = 0; // four sums, which the processor adds side by side
    for (let i = 0; i < columns; i += 4, place += 4) {
      a += values[place] * x[i];
      b += values[place + 1] * x[i + 1];
      c += values[place + 2] * x[i + 2];
      d += values[place + 3] * x[i + 3];
    }
    out[row] = a + b + c + d;
  }
  return out;
}

class PlainKernel {
  reserve(count) { return new Float32Array(count); }
  multiply(matrix, x) { return matvec(matrix, x); }
}
