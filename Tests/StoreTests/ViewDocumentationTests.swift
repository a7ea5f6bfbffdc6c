import Store
import TestSupport
import Testing

/// People find out by the database itself what a view and its columns mean.
@Suite(.timeLimit(.minutes(10))) struct ViewDocumentationTests {
  @Test func everyViewAndEveryColumnHasADefinition() throws {
    let fixture = try StoreFixture(migrated: false)
    let reader = try FleetReader(fixture.database.url)
    let columns = try reader.read(ViewQueries.columns(of: nil))
    #expect(columns.rows.count > 300)
    let without = columns.rows.filter { $0[3] == .null }.map { "\($0[0]).\($0[1])" }
    #expect(without == [])
    let views = try reader.read(ViewQueries.views())
    #expect(views.rows.count == PublicViews.all.count)
    #expect(views.rows.filter { $0[1] == .null }.map { $0[0] } == [])
  }
}
