@testable import EventLoop
import Files
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct EventLoopTests {
  @Test("released code is no longer resident, and comes back where it is used")
  func releasedCode() {
    let before = Machine.residentBytes()
    ProcessMemory.releaseCode()
    #expect(Machine.residentBytes() < before)
    #expect(Array("comes back".utf8).sorted().first == UInt8(ascii: " "))
  }

  @Test("timers fire in the order of their times, equal ones in the order they were made, cancelled ones never")
  func timers() throws {
    let loop = try EventLoop()
    var fired: [Int] = []
    loop.after(3_000_000) { fired.append(3) }
    loop.after(1_000_000) { fired.append(1) }
    let cancelled = loop.after(2_000_000) { fired.append(2) }
    loop.after(5_000_000) { loop.stop() }
    loop.cancel(cancelled)
    try loop.run()
    #expect(fired == [1, 3])
  }

  @Test("thousands of cancelled timers leave the others in order")
  func manyTimers() {
    var heap = TimerHeap()
    var fired: [Int] = []
    var made: [TimerID] = []
    for index in 0..<5000 { made.append(heap.insert(dueNs: Int64(index % 7)) { fired.append(index) }) }
    for index in 0..<5000 where index % 100 != 0 { heap.cancel(made[index]) }
    #expect(heap.count == 50)
    for now in 0..<7 as Range<Int64> { while let action = heap.popDue(now) { action() } }
    #expect(fired == (0..<50).map { $0 * 100 }.sorted { ($0 % 7, $0) < ($1 % 7, $1) })
    #expect(heap.count == 0 && heap.nextDueNs == nil)
  }

  @Test("a timer made by a timer waits for its own time")
  func nestedTimer() throws {
    let loop = try EventLoop()
    var order: [String] = []
    loop.after(0) {
      order.append("outer")
      loop.after(0) {
        order.append("inner")
        loop.stop()
      }
      order.append("outer's end")
    }
    try loop.run()
    #expect(order == ["outer", "outer's end", "inner"])
  }

  @Test("an event that is queued for an unwatched descriptor reaches nobody, also when its slot is used again")
  func staleEvents() throws {
    let loop = try EventLoop()
    let first = try Mailbox<Int>(limit: 1)
    let second = try Mailbox<Int>(limit: 1)
    let third = try Mailbox<Int>(limit: 1)
    var got: [String] = []
    var watches: [Watch] = []
    // Both boxes are ready in the same wake; whichever comes first takes the other away and reuses its slot.
    for (name, box) in [("first", first), ("second", second)] {
      watches.append(
        try loop.receive(from: box) { _ in
          got.append(name)
          for watch in watches { loop.unwatch(watch) }
          _ = try? loop.receive(from: third) { _ in got.append("third") }
        })
    }
    first.post(1)
    second.post(2)
    try loop.turn(maximumWaitNs: 0)
    #expect(got.count == 1)
  }

  @Test("a mailbox hands over messages of many threads, each once, in each sender's order, and refuses above its limit")
  func mailbox() throws {
    let loop = try EventLoop()
    let box = try Mailbox<(Int, Int)>(limit: 100)
    var last = [0, 0, 0, 0]
    var wakes = 0
    try loop.receive(from: box) { messages in
      wakes += 1
      for (sender, number) in messages {
        #expect(number == last[sender] + 1)
        last[sender] = number
      }
      if last == [2000, 2000, 2000, 2000] { loop.stop() }
    }
    let threads = try (0..<4).map { sender in
      try LoopThread("sender") {
        for number in 1...2000 { while !box.post((sender, number)) {} }
      }
    }
    try loop.run()
    for thread in threads { thread.join() }
    #expect(last == [2000, 2000, 2000, 2000])
    #expect(wakes <= 8000)
  }

  @Test("a full or closed mailbox says no and counts")
  func fullMailbox() throws {
    let box = try Mailbox<Int>(limit: 2)
    #expect(box.post(1) && box.post(2))
    #expect(!box.post(3))
    #expect(box.take() == [1, 2])
    box.close()
    #expect(!box.post(4))
    #expect(box.refused == 2)
    #expect(box.wait(maximumMs: 10_000).isEmpty)
  }

  @Test("a thread without a loop waits for a message")
  func waitingThread() throws {
    let box = try Mailbox<Int>(limit: 2)
    let answer = try Mailbox<[Int]>(limit: 1)
    let thread = try LoopThread("waiter") { answer.post(box.wait(maximumMs: 10_000)) }
    box.post(7)
    thread.join()
    #expect(answer.take() == [[7]])
  }

  @Test("another thread stops the loop")
  func stop() throws {
    let loop = try EventLoop()
    let handle = loop.handle
    let thread = try LoopThread("stopper") { handle.stop() }
    try loop.run()
    thread.join()
  }

  @Test("a wake's end comes once, after all its events")
  func wakeEnd() throws {
    final class Flusher: WakeEndObserver {
      var seen: [Int] = []
      var events = 0
      func wakeEnded() { seen.append(events) }
    }
    let loop = try EventLoop()
    let flusher = Flusher()
    let boxes = try (0..<3).map { _ in try Mailbox<Int>(limit: 1) }
    for box in boxes {
      try loop.receive(from: box) { _ in
        if flusher.events == 0 { loop.atWakeEnd(flusher) }
        flusher.events += 1
      }
      box.post(1)
    }
    try loop.turn(maximumWaitNs: 0)
    #expect(flusher.seen == [3])
  }

  @Test(
    "addresses are read as host and port",
    arguments: [
      ("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:443", "::1", 443),
      ("collector.example:4433", "collector.example", 4433),
      (":1", nil, 0), ("host", nil, 0), ("host:", nil, 0), ("host:70000", nil, 0), ("::1:443", nil, 0),
      ("[::1]", nil, 0),
    ] as [(String, String?, UInt16)])
  func addresses(text: String, host: String?, port: UInt16) {
    let address = SocketAddress.parse(text)
    #expect(address?.host == host)
    if host != nil { #expect(address?.port == port && address?.description == text) }
  }

  @Test("a name that does not exist and a port in use are errors with words")
  func socketErrors() throws {
    #expect(throws: LoopError.self) { try Socket.resolve("no-such-host.invalid") }
    #expect(try Socket.resolve("127.0.0.1") == ["127.0.0.1"])
    let path = "/tmp/event-loop-test-\(Clock.monotonicNs()).sock"
    let first = try Socket.listenUnix(path)
    #expect(throws: LoopError.self) { _ = try Socket.listenUnix(path) }
    let client = try Socket.connectUnix(path)
    let server = try #require(try accepted(first))
    #expect(try client.writeSome([1, 2, 3].span) == 3)
    var bytes: [UInt8] = []
    #expect(try server.descriptor.read(into: &bytes, count: 10) == 3)
    #expect(bytes == [1, 2, 3])
    try HostFiles.remove(path)
  }

  private func accepted(_ listener: borrowing Descriptor) throws -> StreamSocket? {
    guard let socket = try Socket.acceptUnix(listener) else { return nil }
    return StreamSocket(socket, address: SocketAddress(host: "", port: 0))
  }
}

@Suite(.timeLimit(.minutes(10))) struct ChildTests {
  @Test("a child gets its input, its output comes back, and its end is an event")
  func echo() throws {
    let loop = try EventLoop()
    var exit: Child.Exit?
    let child = try Child.spawn("/bin/cat", arguments: ["cat"], on: loop) {
      exit = $0
      loop.stop()
    }
    var output: [UInt8] = []
    try loop.watch(child.output.raw, .read) { _ in
      if output.count < 5 { _ = try? child.output.read(into: &output, count: 100) }
      if output.count == 5 { child.closeInput() }
    }
    #expect(try child.write(Array("hello".utf8).span) == 5)
    try loop.run()
    #expect(output == Array("hello".utf8))
    #expect(exit == .status(0))
  }

  @Test("exit status and signal are told apart, and no descriptor leaks into the child")
  func exits() throws {
    let loop = try EventLoop()
    var exits: [Child.Exit] = []
    let script = "test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 ' && test -z \"$HOME\" || exit 1; exit 7"
    for arguments in [["sh", "-c", script], ["sh", "-c", "kill -9 $$"]] {
      _ = try Child.spawn("/bin/sh", arguments: arguments, environment: ["PATH=/usr/bin:/bin"], on: loop) {
        exits.append($0)
        loop.stop()
      }
      try loop.run()
    }
    #expect(exits == [.status(7), .signal(9)])
    #expect(throws: LoopError.self) { _ = try Child.spawn("/no/such", arguments: ["x"], on: loop) { _ in } }
  }
}
