/** The client's half of a WebSocket (RFC 6455), as much as a scripted add-on needs: Node 20 has none of its own. */
import { randomBytes } from "node:crypto";
import { request } from "node:http";

/** Connects; fails with the status where the server refuses. */
export function connect(url, headers, onText) {
  return new Promise((done, fail) => {
    const asked = request(url.replace(/^ws/, "http"), {
      headers: { ...headers, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": randomBytes(16).toString("base64") },
    });
    asked.on("error", fail);
    asked.on("response", (answer) => fail(new Error(`the WebSocket was refused: ${answer.statusCode}`)));
    asked.on("upgrade", (_, socket, head) => {
      let held = head;
      const write = (opcode, body) => {
        const mask = randomBytes(4);
        const length = body.length < 126 ? Buffer.from([body.length | 128]) : body.length < 65536 ? Buffer.from([254, body.length >> 8, body.length & 255]) : Buffer.concat([Buffer.from([255]), Buffer.from(BigInt(body.length).toString(16).padStart(16, "0"), "hex")]);
        const masked = Buffer.from(body);
        for (let i = 0; i < masked.length; i++) masked[i] ^= mask[i & 3];
        if (!socket.destroyed) socket.write(Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, masked]));
      };
      const read = () => {
        for (;;) {
          if (held.length < 2) return;
          const small = held[1] & 127;
          const from = small < 126 ? 2 : small === 126 ? 4 : 10;
          if (held.length < from) return;
          const length = small < 126 ? small : small === 126 ? held.readUInt16BE(2) : Number(held.readBigUInt64BE(2));
          if (held.length < from + length) return;
          const body = held.subarray(from, from + length);
          const opcode = held[0] & 15;
          held = held.subarray(from + length);
          if (opcode === 1) onText(body.toString("utf8"));
          else if (opcode === 9) write(10, body);
          else if (opcode === 8) socket.end();
        }
      };
      socket.on("data", (piece) => {
        held = Buffer.concat([held, piece]);
        read();
      });
      socket.on("error", () => {});
      read();
      done({ send: (text) => write(1, Buffer.from(text)), close: () => { write(8, Buffer.from([3, 232])); socket.end(); } });
    });
    asked.end();
  });
}
