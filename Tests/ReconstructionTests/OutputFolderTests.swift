import Glibc
import Numerics
import Reconstruction
import Testing

@Suite struct OutputFolderTests {
    @Test func commits() throws {
        let place = try TemporaryFolder()
        let folder = try OutputFolder(place.path + "/a/b/")
        try folder.add("one.txt", text: "1")
        try folder.add("two.txt", text: "2")
        #expect(access(place.path + "/a/b/one.txt", F_OK) != 0)
        try folder.commit()
        #expect(namesIn(place.path + "/a/b") == ["one.txt", "two.txt"])
        #expect(try FileAccess.read(place.path + "/a/b/two.txt") == Array("2".utf8))
    }

    @Test func leavesNothingWithoutCommit() throws {
        let place = try TemporaryFolder()
        do {
            let folder = try OutputFolder(place.path + "/a/b")
            try folder.add("one.txt", text: "1")
            #expect(errorKind { try folder.add("../two.txt", text: "2") } == .invalidArgument)
        }
        #expect(place.contents.isEmpty)
    }

    @Test func keepsWhatWasThere() throws {
        let place = try TemporaryFolder()
        try FileAccess.write(place.path + "/one.txt", Array("old".utf8))
        do {
            let folder = try OutputFolder(place.path)
            try folder.add("one.txt", text: "new")
        }
        #expect(try FileAccess.read(place.path + "/one.txt") == Array("old".utf8))
        #expect(place.contents == ["one.txt"])
    }

    @Test func removesWhatAnEarlierResultLeft() throws {
        let place = try TemporaryFolder()
        for name in ["a.old", "b.old", "mine.txt"] { try FileAccess.write(place.path + "/" + name, Array("old".utf8)) }
        #expect(mkdir(place.path + "/c.old", 0o777) == 0)
        let folder = try OutputFolder(place.path)
        try folder.add("b.old", text: "new")
        #expect(place.contents.contains("a.old"))
        try folder.commit { $0.hasSuffix(".old") }
        #expect(place.contents == ["b.old", "c.old", "mine.txt"])
        #expect(try FileAccess.read(place.path + "/b.old") == Array("new".utf8))
    }

    @Test func namesOfResults() {
        let one = ResultNames(selection: [.pictures], numbered: false), all = ResultNames(selection: .all, numbered: true)
        #expect(one.contains("render.png") && !one.contains("overlay.png") && !one.contains("face1_render.png"))
        #expect(all.contains("face1_render.png") && all.contains("face12_head_posed.obj") && !all.contains("render.png"))
        for name in ["face0_crop.png", "face01_crop.png", "face-1_crop.png", "face_crop.png", "face2_mine.png", "face2crop.png"] {
            #expect(!all.contains(name), "\(name)")
        }
        #expect(one.prefix(1) == "" && all.prefix(1) == "face2_")
    }

    @Test func refusesWhatCannotBeWritten() throws {
        let place = try TemporaryFolder()
        try FileAccess.write(place.path + "/file", [1])
        #expect(errorKind { _ = try OutputFolder(place.path + "/file") } == .fileUnwritable)
        #expect(errorKind { _ = try OutputFolder(place.path + "/file/below") } == .fileUnwritable)
        #expect(errorKind { _ = try OutputFolder("/proc/garface") } == .fileUnwritable)
        #expect(errorKind { _ = try OutputFolder("") } == .invalidArgument)
        // The folder is named, not a file of ours inside it.
        #expect {
            _ = try OutputFolder("/proc")
        } throws: { error in
            "\(error)".hasPrefix("/proc: cannot be written") && !"\(error)".contains(".garface")
        }
        #expect(mkdir(place.path + "/mesh.obj", 0o777) == 0)
        let folder = try OutputFolder(place.path)
        #expect(errorKind { try folder.add("mesh.obj", [1]) } == .fileUnwritable)
        folder.discard()
        #expect(place.contents == ["file", "mesh.obj"])
    }
}
