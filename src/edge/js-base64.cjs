// In a worker instead of js-base64, 4 KB: the runtime has it. Of it libSQL's client uses these two, for blobs.
const { Buffer } = require('node:buffer')
exports.Base64 = {
  fromUint8Array: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  toUint8Array: (text) => new Uint8Array(Buffer.from(text, 'base64')),
}
