// Draws the points with WebGL 2. While the view moves, as many are drawn in a frame as the machine has time for, and
// the rest in the frames after. The service sends images in the order of hashes of their ids, so that the first
// ones, however many, are a fair sample of the map.

import { type Size, scale, type View } from "./camera.ts";
import { FRAGMENT, VERTEX } from "./shaders.ts";

const PALETTE_WIDTH = 256;
const SLOW_MS = 26; // a frame that took longer draws fewer points next time, so that 30 a second are held
const FAST_MS = 20;
const FIRST_SHARE = 60_000;
const LEAST_SHARE = 5_000;
const PAUSE_MS = 250; // longer and it stood still
const REST_FRAMES = 12; // after which at most all points are drawn, once the view rests

/** What a drawing shows beside the points themselves. */
export interface Look {
  view: View;
  size: Size;
  /** Pixels of the screen for one of CSS. */
  density: number;
  /** How far the points have come from their old places, 0 to 1. */
  part: number;
  /** Diameter of a point, in CSS pixels. */
  point: number;
  alpha: number;
}

/** WebGL 2 is not there: no graphics driver, or switched off. */
export class NoWebGL extends Error {
  override name = "NoWebGL";
}

/** Draws points onto a canvas. All arrays are by row. Throws NoWebGL. */
export class Renderer {
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;
  readonly #uniforms: Record<string, WebGLUniformLocation | null>;
  readonly #buffers: Record<"from" | "to" | "code" | "state" | "chosen", WebGLBuffer>;
  #count = 0;
  #chosen = 0;
  #drawn = 0;
  #share = FIRST_SHARE;
  #lastFrame = 0;
  #moving = false;

  constructor(canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl) throw new NoWebGL("This browser has no WebGL 2.");
    this.#gl = gl;
    this.#program = link(gl);
    const names = ["middle", "unit", "part", "size", "faint", "chosen", "palette"];
    this.#uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(this.#program, name)]));
    this.#buffers = {
      from: this.#attribute("from", 2, gl.FLOAT),
      to: this.#attribute("to", 2, gl.FLOAT),
      code: this.#attribute("code", 1, gl.UNSIGNED_SHORT),
      state: this.#attribute("state", 1, gl.UNSIGNED_BYTE),
      chosen: gl.createBuffer(),
    };
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** How many there are, and where: old and new places, x and y in turn. */
  setPlaces(from: Float32Array, to: Float32Array): void {
    if (this.#count !== to.length / 2) {
      this.#count = to.length / 2;
      this.#chosen = 0;
      this.#fill("code", new Uint16Array(this.#count));
      this.#fill("state", new Uint8Array(this.#count));
    }
    this.#fill("from", from);
    this.#fill("to", to);
  }

  /** Which colour each has. */
  setCodes(codes: Uint16Array): void {
    this.#fill("code", codes);
  }

  /** Which do not match the filter: 1. */
  setStates(states: Uint8Array): void {
    this.#fill("state", states);
  }

  /** Which rows are selected. */
  setChosen(rows: readonly number[]): void {
    const gl = this.#gl;
    this.#chosen = rows.length;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.chosen);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, Uint32Array.from(rows), gl.STATIC_DRAW);
  }

  /** The colours by code, red, green, blue and alpha. */
  setPalette(rgba: Uint8Array): void {
    const gl = this.#gl;
    const height = Math.max(1, Math.ceil(rgba.length / 4 / PALETTE_WIDTH));
    const pixels = new Uint8Array(PALETTE_WIDTH * height * 4);
    pixels.set(rgba);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, PALETTE_WIDTH, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  }

  /** Draw a frame: from the start if something changed, else what is still to be drawn. True when all is. */
  draw({ view, size, density, part, point, alpha }: Look, changed: boolean, now: number): boolean {
    const gl = this.#gl;
    const canvas = gl.canvas;
    this.#pace(now, changed);
    if (changed) {
      const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      gl.viewport(0, 0, width, height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      this.#drawn = 0;
    }
    if (this.#count === 0) return true;
    const unit = 2 * scale(view, size);
    gl.useProgram(this.#program);
    gl.uniform2f(this.#uniforms["middle"]!, view.x, view.y);
    gl.uniform2f(this.#uniforms["unit"]!, unit / size.width, unit / size.height);
    gl.uniform1f(this.#uniforms["part"]!, part);
    gl.uniform1f(this.#uniforms["size"]!, point * density);
    gl.uniform1f(this.#uniforms["faint"]!, this.#chosen > 0 ? alpha * 0.35 : alpha);
    gl.uniform1i(this.#uniforms["chosen"]!, 0);
    const wanted = changed ? this.#share : Math.max(this.#share, Math.ceil(this.#count / REST_FRAMES));
    const share = Math.min(wanted, this.#count - this.#drawn);
    gl.drawArrays(gl.POINTS, this.#drawn, share);
    this.#drawn += share;
    if (this.#chosen > 0) {
      gl.uniform1i(this.#uniforms["chosen"]!, 1);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.#buffers.chosen);
      gl.drawElements(gl.POINTS, this.#chosen, gl.UNSIGNED_INT, 0);
    }
    return this.#drawn === this.#count;
  }

  dispose(): void {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Set how many points a moving frame draws by how long the last one took. */
  #pace(now: number, changed: boolean): void {
    const took = now - this.#lastFrame;
    const moving = changed && this.#moving;
    this.#lastFrame = now;
    this.#moving = changed;
    if (!moving || took > PAUSE_MS) return;
    // Frames are queued: what a smaller share changes is seen some frames later, so it grows slowly.
    if (took > SLOW_MS) this.#share = Math.max(LEAST_SHARE, Math.round(this.#share * 0.8));
    else if (took < FAST_MS && this.#share < this.#count) this.#share = Math.round(this.#share * 1.06);
  }

  #fill(name: "from" | "to" | "code" | "state", values: Float32Array | Uint16Array | Uint8Array): void {
    const gl = this.#gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  #attribute(name: string, width: number, type: number): WebGLBuffer {
    const gl = this.#gl;
    const buffer = gl.createBuffer();
    const location = gl.getAttribLocation(this.#program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(location);
    if (type === gl.FLOAT) gl.vertexAttribPointer(location, width, type, false, 0, 0);
    else gl.vertexAttribIPointer(location, width, type, 0, 0);
    return buffer;
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The map's shaders do not link: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}
