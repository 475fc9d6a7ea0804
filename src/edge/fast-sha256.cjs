// In a worker instead of fast-sha256: the runtime has it, and faster. Of it standardwebhooks uses no more.
const { createHmac } = require('node:crypto')
exports.hmac = (key, data) => new Uint8Array(createHmac('sha256', key).update(data).digest())
