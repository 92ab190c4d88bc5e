/**
 * What a box has besides server and agent: the real `kiln-init` below a folder, with a boot partition that is a file.
 * Its writer of updates is the real one, so what it refuses and writes is what the box refuses and writes.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { binary, until } from "./box.mjs";

/** Bytes of the boot partition, the smallest that the box makes; before its tables are 994 sectors, as the box lays it out. */
const BOOT_BYTES = 540_672 * 512;
const CHUNK = 1 << 20;
const ARCH = { x64: "x86_64", arm64: "aarch64" }[process.arch] ?? process.arch;

/** Why an appliance cannot be played here, or null. */
export function noAppliance() {
  if (!existsSync(binary("kiln-init"))) return `${binary("kiln-init")} is not built: cargo build -p supervisor`;
  for (const tool of ["mkfs.vfat", "mcopy"]) {
    if (!process.env.PATH.split(":").concat("/usr/sbin").some((dir) => existsSync(join(dir, tool)))) return `${tool} is not here: scripts/setup`;
  }
  return null;
}

/** An Ed25519 key from 32 equal bytes. */
function keyOf(byte) {
  const secret = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, byte)]), format: "der", type: "pkcs8" });
  const open = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
  return { open, sign: (bytes) => sign(null, bytes, secret).toString("hex") };
}

/** The key that the played box trusts, and one that it does not. */
export const OWN = keyOf(3);
export const STRANGER = keyOf(8);

/** The files of a system: small ones, filled with one byte. */
function system(version, fill) {
  return {
    initrd: Buffer.alloc(1_500_000, fill),
    "manifest.json": Buffer.from(JSON.stringify({ version })),
    "manifest.sig": Buffer.alloc(10, fill),
    "system.erofs": Buffer.alloc(2_100_000, fill ^ 0x55),
    vmlinuz: Buffer.alloc(40_000, 9),
  };
}

const part = (text) => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** A signed bundle of a system. */
export function bundle(version, { key = OWN, board = "x86-64", fill = 2 } = {}) {
  const files = Object.entries(system(version, fill)).sort(([a], [b]) => (a < b ? -1 : 1));
  const hashes = (bytes) => Array.from({ length: Math.ceil(bytes.length / CHUNK) }, (_, n) => createHash("sha256").update(bytes.subarray(n * CHUNK, (n + 1) * CHUNK)).digest("hex"));
  const manifest = JSON.stringify({
    arch: ARCH, board, built: 1, files: files.map(([name, bytes]) => ({ chunks: hashes(bytes), name, size: bytes.length })),
    format: "kiln-bundle/1", min_version: "0", version,
  });
  const vouched = JSON.stringify({ rotations: [], signatures: [{ key: key.open, signature: key.sign(Buffer.from(manifest)) }] });
  return Buffer.concat([Buffer.from("KILNBNDL1\n"), part(manifest), part(vouched), ...files.map(([, bytes]) => bytes)]);
}

/** The boot loader's block of variables. */
function environment(variables) {
  const text = `# GRUB Environment Block\n${Object.entries(variables).map(([name, value]) => `${name}=${value}\n`).join("")}`;
  return Buffer.from(text.padEnd(1024, "#"));
}

export class Appliance {
  constructor(dir) {
    this.dir = dir;
    this.control = join(dir, "run/kiln/control.sock");
    const put = (path, bytes) => {
      mkdirSync(join(dir, path, ".."), { recursive: true });
      writeFileSync(join(dir, path), bytes);
    };
    put("kiln/board.toml", 'name = "x86-64"\n');
    put("etc/kiln/update-keys.json", JSON.stringify({ format: "kiln-keys/1", keys: [OWN.open], threshold: 1, version: 1 }));
    mkdirSync(join(dir, "etc/kiln/units"), { recursive: true });
    this.boot = join(dir, "dev/boot");
    put("dev/boot", "");
    truncateSync(this.boot, BOOT_BYTES);
    this.#run("mkfs.vfat", ["-a", "-F", "32", "-s", "8", "-R", "994", "-n", "KILN", this.boot]);
    for (const folder of ["EFI", "EFI/debian", "a", "b"]) this.#run("mmd", ["-i", this.boot, `::${folder}`]);
    for (const [name, bytes] of Object.entries(system("1.0", 1))) this.#copy(bytes, `a/${name}`);
    this.variables({ prefer: "a", a: "good", b: "bad", left: "0", once: "" });
  }

  #run(command, args) {
    execFileSync(command, args, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: ["ignore", "ignore", "inherit"] });
  }

  #copy(bytes, path) {
    const file = join(this.dir, "piece");
    writeFileSync(file, bytes);
    this.#run("mcopy", ["-o", "-i", this.boot, file, `::${path}`]);
    rmSync(file);
  }

  /** Sets the boot loader's variables, as GRUB itself does between two starts. */
  variables(variables) {
    this.#copy(environment(variables), "EFI/debian/grubenv");
  }

  async start() {
    this.output = "";
    this.child = spawn(binary("kiln-init"), ["--root", this.dir], { stdio: ["ignore", "pipe", "pipe"] });
    for (const pipe of [this.child.stdout, this.child.stderr]) pipe.on("data", (data) => (this.output += data));
    await until("the control socket", () => existsSync(this.control));
  }

  /** Ends it in order. */
  async stop() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGTERM");
    await gone;
    rmSync(this.control, { force: true });
  }

  /** Whether it has ended by itself, as a box that restarts. */
  get ended() {
    return this.child.exitCode !== null;
  }
}
