import garface


def test_messages_reach_the_callback(photo, models):
    lines = []
    garface.set_log(lines.append)
    try:
        garface.detect_faces(photo, models)
        garface.reconstruct(photo, models=models, renderer="landmarks")
    finally:
        garface.set_log(None)
    assert any("512 x 512 pixels" in line for line in lines)
    assert any("stage landmarks" in line for line in lines)
    assert all(line and "\n" not in line for line in lines)
    count = len(lines)
    garface.detect_faces(photo, models)
    assert len(lines) == count
