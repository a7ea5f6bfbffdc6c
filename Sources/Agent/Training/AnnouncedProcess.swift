package import FleetModel

/// A process whose start or end its parent reports on the socket: `signalbox-agent exec`.
package struct AnnouncedProcess: Sendable, Equatable {
  /// Who reports, by the kernel.
  package var peer: SocketPeer
  package var pid: UInt32
  /// /proc/PID/stat's field 22; 0 = not known.
  package var startTicks: UInt64
  package var name = ""
  package var command = ""
  package var directory = ""
  package var output = ""
  package var errors = ""
  package var cgroup = ""
  package var hasEnded = false
  package var exit: ProcessExit?

  var key: ProcessKey { ProcessKey(pid: pid, startTicks: startTicks) }

  package init(peer: SocketPeer, pid: UInt32, startTicks: UInt64) {
    self.peer = peer
    self.pid = pid
    self.startTicks = startTicks
  }
}
