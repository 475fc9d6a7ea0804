// In a worker instead of promise-limit: a limit that no number of requests reaches is none.
module.exports = () => (run) => run()
