"use strict";

const element = (id) => document.getElementById(id);

function fail(sentence) {
  element("problem").textContent = sentence;
  element("problem").hidden = false;
  document.documentElement.dataset.state = "failed";
}

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// The parts of binary glTF that garface writes: the head's mesh with sparse morph targets, its eyeballs, one picture.
function parseGLB(bytes) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.getUint32(0, true) !== 0x46546c67) throw new Error("head.glb is not a binary glTF file");
  const jsonSize = data.getUint32(12, true);
  const json = JSON.parse(new TextDecoder().decode(bytes.subarray(20, 20 + jsonSize)));
  const start = bytes.byteOffset + 28 + jsonSize;
  const view = (index) => {
    const v = json.bufferViews[index];
    return bytes.buffer.slice(start + v.byteOffset, start + v.byteOffset + v.byteLength);
  };
  const floats = (index) => new Float32Array(view(json.accessors[index].bufferView));
  const mesh = json.meshes[0], primitive = mesh.primitives[0];
  const position = [], coordinates = [], triangles = [], eyes = [];
  const append = (primitive) => {
    const first = position.length / 3;
    floats(primitive.attributes.POSITION).forEach((v) => position.push(v));
    floats(primitive.attributes.TEXCOORD_0).forEach((v) => coordinates.push(v));
    new Uint32Array(view(json.accessors[primitive.indices].bufferView)).forEach((v) => triangles.push(first + v));
    return { first, end: position.length / 3 };
  };
  append(primitive);
  for (const index of json.nodes[0].children || []) {
    const node = json.nodes[index], [x, y, z, w] = node.rotation;
    eyes.push({
      ...append(json.meshes[node.mesh].primitives[0]), centre: node.translation,
      yaw: Math.atan2(2 * (x * z + y * w), 1 - 2 * (x * x + y * y)), pitch: Math.asin(2 * (y * z - x * w)),
    });
  }
  return {
    eyes,
    names: mesh.extras ? mesh.extras.targetNames : [],
    weights: mesh.weights || [],
    position: new Float32Array(position),
    coordinates: new Float32Array(coordinates),
    triangles: new Uint32Array(triangles),
    targets: (primitive.targets || []).map((t) => {
      const s = json.accessors[t.POSITION].sparse;
      return { rows: new Uint32Array(view(s.indices.bufferView)), values: new Float32Array(view(s.values.bufferView)) };
    }),
    image: new Blob([view(json.images[0].bufferView)], { type: json.images[0].mimeType }),
  };
}

// Eyeballs lie in the file as they look straight ahead, around their own centres: turned to the left and up, and put there.
function placeEyes(position, rest, eyes, turns) {
  eyes.forEach((eye, e) => {
    const { yaw, pitch } = turns[e], cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch);
    for (let i = 3 * eye.first; i < 3 * eye.end; i += 3) {
      const x = rest[i], y = cp * rest[i + 1] + sp * rest[i + 2], z = cp * rest[i + 2] - sp * rest[i + 1];
      position[i] = cy * x + sy * z + eye.centre[0];
      position[i + 1] = y + eye.centre[1];
      position[i + 2] = cy * z - sy * x + eye.centre[2];
    }
  });
  return position;
}

// Vertices on seams lie twice in the file: their normals are those of the whole surface.
function weld(position) {
  const known = new Map(), first = new Uint32Array(position.length / 3);
  for (let i = 0; i < first.length; i++) {
    const key = position[3 * i] + "," + position[3 * i + 1] + "," + position[3 * i + 2];
    if (!known.has(key)) known.set(key, i);
    first[i] = known.get(key);
  }
  return first;
}

function normalsOf(position, triangles, first, out) {
  out.fill(0);
  for (let t = 0; t < triangles.length; t += 3) {
    const a = 3 * triangles[t], b = 3 * triangles[t + 1], c = 3 * triangles[t + 2];
    const ux = position[b] - position[a], uy = position[b + 1] - position[a + 1], uz = position[b + 2] - position[a + 2];
    const vx = position[c] - position[a], vy = position[c + 1] - position[a + 1], vz = position[c + 2] - position[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (let k = 0; k < 3; k++) {
      const i = 3 * first[triangles[t + k]];
      out[i] += x; out[i + 1] += y; out[i + 2] += z;
    }
  }
  for (let i = 0; i < first.length; i++) {
    const from = 3 * first[i];
    const x = out[from], y = out[from + 1], z = out[from + 2], length = Math.hypot(x, y, z) || 1;
    if (first[i] === i) { out[3 * i] = x / length; out[3 * i + 1] = y / length; out[3 * i + 2] = z / length; }
    else { out[3 * i] = x; out[3 * i + 1] = y; out[3 * i + 2] = z; }
  }
}

const VERTEX = `
attribute vec3 position, normal; attribute vec2 coordinates;
uniform mat3 turn; uniform vec3 centre; uniform vec2 zoom;
varying vec3 n; varying vec2 at;
void main() {
  vec3 p = turn * (position - centre);
  n = turn * normal; at = coordinates;
  float away = 1.0 - p.z * 0.9;
  gl_Position = vec4(p.xy * zoom, -p.z * 0.5 * away, away);
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 n; varying vec2 at;
uniform sampler2D picture; uniform float shape;
void main() {
  vec3 m = normalize(n);
  float light = 0.25 + 0.75 * max(0.0, dot(m, normalize(vec3(0.35, 0.45, 0.82))));
  gl_FragColor = vec4(mix(texture2D(picture, at).rgb, vec3(0.80, 0.82, 0.86) * light, shape), 1.0);
}`;

function compiled(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
  return shader;
}

// R = Rz(roll) Rx(-pitch) Ry(yaw), columns first as WebGL wants it.
function rotation(yaw, pitch, roll) {
  const cy = Math.cos(yaw), sy = Math.sin(yaw), cp = Math.cos(pitch), sp = Math.sin(pitch), cr = Math.cos(roll), sr = Math.sin(roll);
  const m = [cy, 0, sy, -sp * sy, cp, sp * cy, -cp * sy, -sp, cp * cy];
  const r = [
    cr * m[0] - sr * m[3], cr * m[1] - sr * m[4], cr * m[2] - sr * m[5],
    sr * m[0] + cr * m[3], sr * m[1] + cr * m[4], sr * m[2] + cr * m[5], m[6], m[7], m[8]];
  return [r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]];
}

class HeadView {
  constructor(canvas, head, picture, pose) {
    this.canvas = canvas;
    this.head = head;
    this.pose = pose;
    this.angles = { yaw: 0, pitch: 0, roll: 0 };
    this.distance = 1;
    this.shape = 0;
    this.weights = Array.from(head.weights);
    const gl = this.gl = canvas.getContext("webgl", { preserveDrawingBuffer: true, antialias: true });
    if (!gl || !gl.getExtension("OES_element_index_uint")) throw new Error("this browser offers no WebGL; the head cannot be shown");
    const program = this.program = gl.createProgram();
    gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    this.turns = head.eyes.map(({ yaw, pitch }) => ({ yaw, pitch }));
    this.position = placeEyes(new Float32Array(head.position), head.position, head.eyes, this.turns);
    this.first = weld(this.position);
    this.normal = new Float32Array(head.position.length);
    this.positionBuffer = this.attribute("position", this.position, 3);
    this.normalBuffer = this.attribute("normal", this.normal, 3);
    this.attribute("coordinates", head.coordinates, 2);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, head.triangles, gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, picture);
    const size = picture.width & (picture.width - 1) || picture.height & (picture.height - 1);
    if (!size) gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, size ? gl.LINEAR : gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    let low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    this.position.forEach((v, i) => { low[i % 3] = Math.min(low[i % 3], v); high[i % 3] = Math.max(high[i % 3], v); });
    this.centre = low.map((v, k) => (v + high[k]) / 2);
    this.radius = Math.max(...low.map((v, k) => (high[k] - v) / 2));
    this.listen();
    this.change();
  }

  attribute(name, values, width) {
    const gl = this.gl, buffer = gl.createBuffer(), place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, gl.FLOAT, false, 0, 0);
    return buffer;
  }

  // After the weights or the eyes' turns have changed.
  change() {
    const gl = this.gl, head = this.head;
    this.position.set(head.position);
    head.targets.forEach((target, k) => {
      const w = this.weights[k];
      if (!w) return;
      for (let i = 0; i < target.rows.length; i++) {
        const at = 3 * target.rows[i];
        for (let c = 0; c < 3; c++) this.position[at + c] += w * target.values[3 * i + c];
      }
    });
    placeEyes(this.position, head.position, head.eyes, this.turns);
    normalsOf(this.position, head.triangles, this.first, this.normal);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.positionBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.position);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.normalBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.normal);
    this.draw();
  }

  draw() {
    const gl = this.gl, canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0.11, 0.125, 0.153, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const uniform = (name) => gl.getUniformLocation(this.program, name);
    const zoom = 0.9 / (this.radius * this.distance), least = Math.min(width, height);
    gl.uniformMatrix3fv(uniform("turn"), false, rotation(this.angles.yaw, this.angles.pitch, this.angles.roll));
    gl.uniform3fv(uniform("centre"), this.centre);
    gl.uniform2f(uniform("zoom"), zoom * least / width, zoom * least / height);
    gl.uniform1f(uniform("shape"), this.shape);
    gl.drawElements(gl.TRIANGLES, this.head.triangles.length, gl.UNSIGNED_INT, 0);
  }

  turn(yaw, pitch) {
    this.angles.yaw += yaw;
    this.angles.pitch = Math.max(-1.5, Math.min(1.5, this.angles.pitch + pitch));
    this.draw();
  }

  closer(factor) {
    this.distance = Math.max(0.2, Math.min(5, this.distance / factor));
    this.draw();
  }

  look(pose) {
    this.angles = { ...pose };
    this.distance = 1;
    this.draw();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (e) => canvas.setPointerCapture(e.pointerId));
    canvas.addEventListener("pointermove", (e) => { if (e.buttons) this.turn(e.movementX * 0.008, -e.movementY * 0.008); });
    canvas.addEventListener("wheel", (e) => { e.preventDefault(); this.closer(Math.exp(-e.deltaY * 0.001)); }, { passive: false });
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[e.key];
      if (step) this.turn(...step); else if (e.key === "+") this.closer(1.1); else if (e.key === "-") this.closer(1 / 1.1); else return;
      e.preventDefault();
    });
    window.addEventListener("resize", () => this.draw());
  }
}

// A row to move one number of the view; what it returns shows that number anew.
function slider(view, name, range, digits, get, put) {
  const label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
  const span = document.createElement("span");
  span.textContent = name;
  Object.assign(input, { type: "range", ...range });
  const show = () => { input.value = get(); output.textContent = Number(get()).toFixed(digits); };
  input.addEventListener("input", () => { put(Number(input.value)); show(); view.change(); });
  label.append(span, input, output);
  element("sliders").append(label);
  show();
  return show;
}

function showSliders(view) {
  const degree = Math.PI / 180, eyes = view.head.eyes, angle = { min: -25, max: 25, step: 0.5 };
  const rows = view.head.names.map((name, k) => slider(
    view, name, { min: 0, max: 1, step: 0.01 }, 2, () => view.weights[k], (v) => { view.weights[k] = v; }));
  for (const [axis, name] of eyes.length ? [["yaw", "eyes to their left, degrees"], ["pitch", "eyes up, degrees"]] : []) {
    rows.push(slider(
      view, name, angle, 1, () => view.turns[0][axis] / degree, (v) => view.turns.forEach((turn) => { turn[axis] = v * degree; })));
  }
  const set = (weights, turns) => {
    view.weights = Array.from(weights);
    view.turns = turns;
    rows.forEach((show) => show());
    view.change();
  };
  element("neutral").onclick = () => set(view.head.names.map(() => 0), eyes.map(() => ({ yaw: 0, pitch: 0 })));
  element("fitted").onclick = () => set(view.head.weights, eyes.map(({ yaw, pitch }) => ({ yaw, pitch })));
}

// Each term of the energy over all iterations, scaled to its own range.
function showLosses(losses) {
  const canvas = element("losses"), ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = canvas.getContext("2d");
  const names = [...new Set(losses.flatMap((l) => Object.keys(l)))].filter(
    (n) => n !== "stage" && n !== "iteration" && losses.some((l) => Number.isFinite(l[n]) && l[n] !== 0));
  if (!names.length) { element("legend").textContent = "No stage was run: there are no losses."; return; }
  const colours = ["#e8ecf2", "#6db3f2", "#f2b36d", "#8fd694", "#e07a9b", "#b59af0", "#5fd0c5", "#d6c95f"];
  const left = 4, right = canvas.width - 4, top = 6, bottom = canvas.height - 6;
  const x = (i) => left + (right - left) * (losses.length > 1 ? i / (losses.length - 1) : 0.5);
  losses.forEach((l, i) => {
    if (!i || l.stage === losses[i - 1].stage) return;
    pen.strokeStyle = "#333a45";
    pen.beginPath(); pen.moveTo(x(i), 0); pen.lineTo(x(i), canvas.height); pen.stroke();
  });
  names.forEach((name, k) => {
    const values = losses.map((l) => l[name]).filter(Number.isFinite), low = Math.min(...values), high = Math.max(...values);
    pen.strokeStyle = colours[k % colours.length];
    pen.lineWidth = (name === "total" ? 2.2 : 1.2) * ratio;
    pen.beginPath();
    let drawn = false;
    losses.forEach((l, i) => {
      if (!Number.isFinite(l[name])) return;
      const y = bottom - (bottom - top) * (high > low ? (l[name] - low) / (high - low) : 0.5);
      if (drawn) pen.lineTo(x(i), y); else pen.moveTo(x(i), y);
      drawn = true;
    });
    pen.stroke();
    const item = document.createElement("span");
    item.textContent = `${name} ${values[0].toPrecision(3)} to ${values[values.length - 1].toPrecision(3)}   `;
    item.style.color = colours[k % colours.length];
    element("legend").append(item);
  });
  element("legend").append("each scaled to its own range; upright lines part the stages");
}

async function main() {
  const data = JSON.parse(element("data").textContent);
  const parameters = data.parameters, pose = parameters.pose_degrees, degrees = Math.PI / 180;
  element("photo").src = data.photo;
  element("normals").src = data.normals;
  element("facts").textContent =
    `yaw ${pose.yaw.toFixed(1)}, pitch ${pose.pitch.toFixed(1)}, roll ${pose.roll.toFixed(1)} degrees; ` +
    `photo ${parameters.photo.width} x ${parameters.photo.height} pixels; renderer ${parameters.renderer}`;
  showLosses(parameters.losses || []);
  const head = parseGLB(bytesOf(data.head));
  const picture = await createImageBitmap(head.image, { colorSpaceConversion: "none" });
  const posed = { yaw: pose.yaw * degrees, pitch: pose.pitch * degrees, roll: pose.roll * degrees };
  const view = new HeadView(element("head"), head, picture, posed);
  showSliders(view);
  element("front").onclick = () => view.look({ yaw: 0, pitch: 0, roll: 0 });
  element("posed").onclick = () => view.look(posed);
  element("shade").onclick = () => { view.shape = 1 - view.shape; view.draw(); };
  await Promise.all(["photo", "normals"].map((id) => element(id).decode()));
  window.garface = view;
  document.documentElement.dataset.state = "shown";
}

main().catch((error) => fail(error.message || String(error)));
