import Files
import Testing

@Suite struct ValueFileTests {
  @Test(arguments: [
    ("KEY", "KEY"), ("KEY\n", "KEY"), ("KEY\r\nsecond line\r\n", "KEY"), ("KEY \t\r\n", "KEY"),
    ("\u{feff}KEY\r", "KEY"),
    ("", ""), ("\r\n", ""), (" a b \n", " a b"), ("K\u{301}\r\n", "K\u{301}"),
  ])
  func oneValueIsTheFirstLineWithoutWhatEditorsAdd(_ text: String, _ value: String) {
    #expect(ValueFile.firstLine(Array(text.utf8)) == value)
  }
}
