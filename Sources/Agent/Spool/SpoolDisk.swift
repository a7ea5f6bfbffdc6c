package import Files

/// The directory of one spool, as the spool uses it. The real one is `SpoolDirectory`; the simulation has one that
/// tears and loses what was not synced.
package protocol SpoolDisk: AnyObject {
  /// Names of all files, in no order.
  func list() throws(FileError) -> [String]
  func size(of name: String) throws(FileError) -> UInt64
  /// - Returns: fewer than `count` bytes only at the end of the file.
  func read(_ name: String, at offset: UInt64, count: Int) throws(FileError) -> [UInt8]
  /// Creates the file when missing and writes at its end. After a failure some of the bytes may be there.
  func append(_ bytes: [UInt8], to name: String) throws(FileError)
  /// What was appended to the file survives a power cut.
  func sync(_ name: String) throws(FileError)
  /// Names made, changed and removed survive a power cut.
  func syncDirectory() throws(FileError)
  func rename(_ name: String, to newName: String) throws(FileError)
  func remove(_ name: String) throws(FileError)
  /// What the file system has left for this user.
  func freeBytes() throws(FileError) -> UInt64
}
