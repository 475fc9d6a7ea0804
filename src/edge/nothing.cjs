// In a worker instead of files that it never calls: libSQL's protocol 3 in protobuf and its cursors (the client speaks
// 2, in JSON), pg's queries and results, instead of which driftline sends pipelines of its own, its reading of URLs, and
// that of certificates, which only binds a password to one where `enableChannelBinding` is set.
module.exports = {}
