import Fitting
import Numerics
import Testing

@Suite struct ScheduleTests {
    @Test(arguments: FitRenderer.allCases) func survivesJSON(renderer: FitRenderer) throws {
        let schedule = FitSchedule.standard(renderer)
        let text = schedule.json.serialized(pretty: true)
        var read = try FitSchedule(json: JSONValue(parsing: text))
        // Defaults are written out, so only the explicit steps differ.
        for i in read.stages.indices {
            for block in read.stages[i].blocks { #expect(read.stages[i].step(block) == schedule.stages[i].step(block)) }
            read.stages[i].stepSizes = schedule.stages[i].stepSizes
        }
        #expect(read == schedule)
    }

    @Test(arguments: [
        "{}", "{\"stages\": 3}", "{\"stages\": [{}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"w_plus\"], \"steps\": {\"w_plus\": 1.5}}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"w_plus\"], \"weigths\": {}}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"w_plus\"], \"weights\": [1]}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": -1, \"blocks\": [\"w_plus\"]}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 1e300, \"blocks\": [\"identity\"]}]}",
        "{\"stages\": [{\"optimiser\": \"gauss_newton\", \"iterations\": 3, \"blocks\": [\"w_plus\"]}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"identity\"], \"weights\": {\"photo\": 1}}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"identity\"], \"weights\": {\"landmarks\": -1}}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"identity\"], \"picture_limit\": 8}]}",
        "{\"stages\": [{\"optimiser\": \"adam\", \"iterations\": 3, \"blocks\": [\"identity\"], \"picture_limit\": \"64\"}]}",
    ]) func refuses(text: String) throws {
        let json = try JSONValue(parsing: text)
        #expect(throws: GarfaceError.self) { try FitSchedule(json: json) }
    }

    @Test func blocksBelongToRenderers() throws {
        for renderer in FitRenderer.allCases {
            for other in FitRenderer.allCases {
                let fits = renderer == other || other == .none
                let accepted = (try? FitSchedule.standard(other).check(renderer)) != nil
                #expect(accepted == fits, "\(other) with \(renderer)")
            }
        }
    }

    @Test func sentencesOpenWithTheSchedule() {
        #expect { try FitSchedule(parsing: Array("{".utf8)) } throws: { "\($0)".hasPrefix("schedule: JSON") }
    }

    @Test func noStagesAreTheStartAlone() throws {
        #expect(try FitSchedule(json: JSONValue(parsing: "{\"stages\": []}")).stages.isEmpty)
    }
}
