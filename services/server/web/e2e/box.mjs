/** A box without the image: the real kiln-server and kiln-agent on loop devices, in a directory of its own. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../../..");
/** Where a program of this tree lies. */
export const binary = (name) => join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug", name);

/** Why the suite cannot run here, or null. */
export function missing() {
  for (const name of ["kiln-server", "kiln-agent"]) {
    if (!existsSync(binary(name))) return `${binary(name)} is not built: cargo build -p server -p agent`;
  }
  return null;
}

/** Why there are no loop devices here, or null. */
export function noLoops() {
  if (process.getuid() !== 0) return "loop devices need root";
  const found = spawnSync("losetup", ["--find"], { encoding: "utf8" });
  return found.status === 0 ? null : `losetup --find: ${found.stderr.trim()}`;
}

const freePort = () =>
  new Promise((done, fail) => {
    const probe = createServer();
    probe.on("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

/** Waits until `ask` gives something true; the deadline is for slow machines, not for slow code. */
export async function until(what, ask, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

export class Box {
  dir = mkdtempSync(join(tmpdir(), "kiln-e2e-"));
  token = "e2e-0123456789abcdef0123456789abcdef";
  output = "";
  loops = new Map();
  children = new Set();
  /** The agent obeys the server behind it and none over the network. */
  #socket = join(this.dir, "server.sock");

  async open() {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    await this.startServer();
    // Under a supervisor the code stands on its console alone; with a password in the environment the box claims itself.
    if (this.admin) return;
    this.code = (await until("the claim code", () => /claim: (\S+)/.exec(this.output)))[1];
  }

  #spawn(name, args, env = {}) {
    const child = spawn(binary(name), args, { env: { ...process.env, ADMIN_PASSWORD: "", ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.children.add(child);
    child.on("exit", () => this.children.delete(child));
    for (const pipe of [child.stdout, child.stderr]) pipe.on("data", (data) => (this.output += data));
    return child;
  }

  /** `control`: the supervisor's socket; none listens on the one that is taken without it. */
  async startServer() {
    this.server = this.#spawn("kiln-server", ["--listen", `127.0.0.1:${this.port}`, "--data", join(this.dir, "server"), "--unix", this.#socket, "--control", this.control ?? join(this.dir, "nobody.sock")], { KILN_AGENT_TOKEN: this.token, ADMIN_PASSWORD: this.admin ?? "" });
    await until("the server's health", async () => (await fetch(`${this.url}/api/v1/health`).catch(() => null))?.ok);
  }

  startAgent() {
    for (const name of ["agent", "run"]) mkdirSync(join(this.dir, name), { recursive: true });
    this.agent = this.#spawn(
      "kiln-agent",
      ["--server", `unix:${this.#socket}`, "--addon-id", "1", "--data", join(this.dir, "agent"), "--run", join(this.dir, "run"), "--allow-loop"],
      { VIGIL_ADDON_TOKEN: this.token },
    );
  }

  /** Ends a process without asking it, as a crash or a supervisor would. */
  async kill(which) {
    const child = this[which];
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await gone;
  }

  /** A loop device of so many MiB; `label` makes an ext4 file system of that name on it. */
  loop(name, mib, label) {
    const file = join(this.dir, `${name}.img`);
    writeFileSync(file, "");
    truncateSync(file, mib * 1048576);
    const device = execFileSync("losetup", ["--find", "--show", file], { encoding: "utf8" }).trim();
    this.loops.set(name, { device, file, mib, four: device.slice(-4).toUpperCase(), serial: device });
    if (label) this.format(name, label);
    return this.loops.get(name);
  }

  format(name, label) {
    execFileSync("mkfs.ext4", ["-q", "-F", "-L", label, this.loops.get(name).device], { stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Mounts a drive for reading alone, so that nothing on it changes. */
  mount(name) {
    const at = join(this.dir, `mnt-${name}`);
    mkdirSync(at);
    execFileSync("mount", ["-o", "ro,noload", this.loops.get(name).device, at]);
    this.mounted = at;
    return at;
  }

  /**
   * Keeps spoiling one sector behind the drive's back until the returned function is called: a process of its own,
   * because between a sector's write and its verification there may be less than a busy event loop's pause.
   */
  spoil(name, offset) {
    const script = `const fs = require("fs"), file = fs.openSync(process.argv[1], "r+"), garbage = Buffer.alloc(512, "spoiled ");
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (;;) { fs.writeSync(file, garbage, 0, 512, Number(process.argv[2])); Atomics.wait(pause, 0, 0, 1); }`;
    const child = spawn(process.execPath, ["-e", script, this.loops.get(name).file, String(offset)], { stdio: "inherit" });
    this.children.add(child);
    child.on("exit", () => this.children.delete(child));
    return () => child.kill("SIGKILL");
  }

  async close() {
    for (const child of [...this.children]) {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await gone;
    }
    if (this.mounted) spawnSync("umount", [this.mounted]);
    for (const { device } of this.loops.values()) {
      // A worker that was just killed may hold it for a moment.
      for (let i = 0; i < 50 && spawnSync("losetup", ["-d", device]).status !== 0; i++) await new Promise((done) => setTimeout(done, 100));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
