// Owns the screen: one slice's values through a window, zoomed and moved, with its heat map over it.

function heatCanvas(heat) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [heat.width, heat.height];
  const bytes = Uint8Array.from(atob(heat.data), (c) => c.charCodeAt(0));
  const image = new ImageData(heat.width, heat.height);
  bytes.forEach((byte, n) => {
    const v = byte / 255;
    image.data.set([255, 220 * (1 - v), 0, 255 * Math.min(1, 2 * v)], 4 * n); // as deploy/heatmaps.py
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export class Viewer {
  /** `changed` is called when window, zoom or place were changed by hand on the screen. */
  constructor(canvas, { changed, turned }) {
    Object.assign(this, { canvas, changed, turned });
    this.tool = "window";
    this.opacity = 0.6;
    this.pointers = new Map();
    this.slice = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.reset());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Show a slice; `buffer` holds its values, or is null where they are not kept. */
  show(slice, buffer) {
    this.slice = slice;
    this.values = buffer && (slice.shown.bits === 16 ? new Uint16Array(buffer) : new Uint8Array(buffer));
    this.heat = slice.heat && heatCanvas(slice.heat);
    this.picture = document.createElement("canvas");
    [this.picture.width, this.picture.height] = [slice.shown.width, slice.shown.height];
    this.reset();
  }

  reset() {
    if (!this.slice) return;
    [this.black, this.white] = this.slice.shown.window;
    [this.zoom, this.x, this.y] = [1, 0, 0];
    this.render();
    this.changed();
  }

  get level() { return (this.black + this.white) / 2; }
  get width() { return this.white - this.black; }

  setWindow(level, width) {
    const least = (this.slice.shown.high - this.slice.shown.low) / 1000 || 1e-6;
    const w = Math.max(least, width);
    [this.black, this.white] = [level - w / 2, level + w / 2];
    this.render();
  }

  setZoom(zoom) {
    const factor = Math.min(12, Math.max(0.5, zoom)) / this.zoom;
    this.zoom *= factor;
    [this.x, this.y] = this.zoom <= 1 ? [0, 0] : [this.x * factor, this.y * factor];
    this.draw();
    this.changed();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.draw();
  }

  /** Values through the window, once for every change of it. */
  render() {
    if (!this.values) return this.draw();
    const { low, high, inverted, width, height } = this.slice.shown;
    const most = this.values.BYTES_PER_ELEMENT === 2 ? 65535 : 255;
    const table = new Uint8ClampedArray(most + 1);
    const step = (high - low) / most;
    const scale = 255 / (this.white - this.black || 1);
    for (let n = 0; n <= most; n += 1) {
      table[n] = (low + n * step - this.black) * scale;
      if (inverted) table[n] = 255 - table[n];
    }
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let n = 0; n < this.values.length; n += 1) {
      pixels[n] = 0xff000000 | (table[this.values[n]] * 0x010101);
    }
    this.picture.getContext("2d").putImageData(image, 0, 0);
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const dots = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [canvas.clientWidth * dots, canvas.clientHeight * dots];
    const context = canvas.getContext("2d");
    if (!this.slice || !this.values) return;
    const { width, height } = this.picture;
    const fit = Math.min(canvas.width / width, canvas.height / height) * this.zoom;
    context.imageSmoothingEnabled = fit < 6;
    context.imageSmoothingQuality = "high";
    const place = [
      canvas.width / 2 - (width * fit) / 2 + this.x * dots, canvas.height / 2 - (height * fit) / 2 + this.y * dots,
      width * fit, height * fit,
    ];
    context.drawImage(this.picture, ...place);
    if (this.heat && this.opacity > 0) {
      context.imageSmoothingEnabled = true;
      context.globalAlpha = this.opacity;
      context.drawImage(this.heat, ...place);
      context.globalAlpha = 1;
    }
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.slice) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const far = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      this.setZoom((this.zoom * far([event.clientX, event.clientY])) / far(before));
    } else if (this.tool === "pan" || event.buttons === 4 || event.shiftKey) {
      [this.x, this.y] = [this.x + dx, this.y + dy];
      this.draw();
    } else {
      const range = (this.slice.shown.high - this.slice.shown.low) / 400;
      this.setWindow(this.level + dy * range, this.width + dx * range);
    }
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.changed();
  }

  wheel(event) {
    const zooms = event.ctrlKey || event.metaKey;
    if (!zooms && !this.stacked) return; // the page scrolls
    event.preventDefault();
    if (zooms) this.setZoom(this.zoom * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
    else this.turned(Math.sign(event.deltaY));
  }
}
