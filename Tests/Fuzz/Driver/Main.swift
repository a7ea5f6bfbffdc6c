internal import FuzzTargets
internal import Glibc

// libFuzzer's loop. SwiftPM calls an executable's main function <Target>_main, so that libFuzzer's own main cannot be used.

private typealias OneInput = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ oneInput: OneInput
) -> Int32

private let target: FuzzTarget? = {
  let name = unsafe getenv("SIGNALBOX_FUZZ_TARGET").map { unsafe String(cString: $0) }
  return FuzzTarget.all.first { $0.name == name }
}()

@_cdecl("FuzzDriver_main")
package func fuzzMain(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
  guard target != nil else {
    for target in FuzzTarget.all { print(target.name) }
    return 2
  }
  var count = count
  var arguments = unsafe arguments
  return unsafe runDriver(&count, &arguments) { bytes, size in
    unsafe target?.run([UInt8](UnsafeBufferPointer(start: bytes, count: size)))
    return 0
  }
}
