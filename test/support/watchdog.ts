import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/**
 * Ends a server and removes its folder when this process ends in any way, SIGKILL included: only
 * the end of a pipe tells that. Write it the server's pid, an empty line when there is none, and
 * end its input to let it go.
 */
export function startWatchdog(folder: string): ChildProcess {
  const script = 'while read -r line; do pid=$line; done; [ -n "$pid" ] && kill -QUIT "$pid"; sleep 1; rm -rf "$0"'
  const child = spawn('sh', ['-c', script, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  ;(child.stdin as Socket).unref()
  return child
}
