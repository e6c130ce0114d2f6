// A picture to try things on, drawn here: a lake at evening, with a buoy that asks to be removed.
const WIDTH = 1200;
const HEIGHT = 800;

/** Numbers in [0, 1) that are the same each time (mulberry32, public domain). */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function ridge(draw: CanvasRenderingContext2D, random: () => number, base: number, height: number, colour: string): void {
  draw.fillStyle = colour;
  draw.beginPath();
  draw.moveTo(0, 500);
  const shift = random() * 9;
  for (let x = 0; x <= WIDTH; x += 6) {
    const wave = Math.sin(x / 170 + shift) + 0.5 * Math.sin(x / 61 + 2 * shift) + 0.2 * Math.sin(x / 23 + shift);
    draw.lineTo(x, base - height * (0.6 + 0.3 * wave) - 3 * random());
  }
  draw.lineTo(WIDTH, 500);
  draw.fill();
}

function paint(draw: CanvasRenderingContext2D): void {
  const random = numbers(7);
  const sky = draw.createLinearGradient(0, 0, 0, 480);
  sky.addColorStop(0, "#5d7ea3");
  sky.addColorStop(0.6, "#c9b8a8");
  sky.addColorStop(1, "#f2cfa4");
  draw.fillStyle = sky;
  draw.fillRect(0, 0, WIDTH, 500);
  ridge(draw, random, 470, 190, "#8a93a5");
  ridge(draw, random, 480, 120, "#64728a");
  ridge(draw, random, 492, 60, "#3f4d5c");
  const water = draw.createLinearGradient(0, 490, 0, HEIGHT);
  water.addColorStop(0, "#b79f8b");
  water.addColorStop(0.35, "#6e7f92");
  water.addColorStop(1, "#2d4257");
  draw.fillStyle = water;
  draw.fillRect(0, 490, WIDTH, HEIGHT - 490);
  for (let k = 0; k < 2600; k++) {
    const depth = random() ** 1.6;
    const y = 492 + depth * (HEIGHT - 492);
    const length = (8 + 60 * random()) * (0.3 + depth);
    draw.strokeStyle = random() < 0.5 ? `rgba(255,226,190,${0.05 + 0.16 * random()})` : `rgba(18,34,52,${0.05 + 0.14 * random()})`;
    draw.lineWidth = 0.6 + 1.8 * depth;
    draw.beginPath();
    const x = random() * (WIDTH + 80) - 40;
    draw.moveTo(x, y);
    draw.quadraticCurveTo(x + length / 2, y - 2 * random(), x + length, y);
    draw.stroke();
  }
  buoy(draw, 760, 610);
}

function buoy(draw: CanvasRenderingContext2D, x: number, y: number): void {
  draw.fillStyle = "rgba(20,30,40,.35)";
  draw.beginPath();
  draw.ellipse(x, y + 46, 62, 13, 0, 0, 7);
  draw.fill();
  const side = draw.createLinearGradient(x - 42, 0, x + 42, 0);
  side.addColorStop(0, "#e0603c");
  side.addColorStop(0.45, "#f0825c");
  side.addColorStop(1, "#8a2f1c");
  draw.fillStyle = side;
  draw.beginPath();
  draw.moveTo(x - 20, y - 58);
  draw.lineTo(x + 20, y - 58);
  draw.lineTo(x + 44, y + 40);
  draw.quadraticCurveTo(x, y + 60, x - 44, y + 40);
  draw.fill();
  draw.fillStyle = "#f3ead9";
  draw.fillRect(x - 31, y - 16, 62, 22);
  draw.fillStyle = "#39424d";
  draw.fillRect(x - 3, y - 92, 6, 36);
  draw.beginPath();
  draw.arc(x, y - 94, 9, 0, 7);
  draw.fill();
}

/** The example as a PNG. */
export async function exampleFile(): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const draw = canvas.getContext("2d");
  if (!draw) throw new Error("2d");
  paint(draw);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("PNG"))), "image/png"));
}
