"""The C interface as ctypes sees it: constants, structures and one table of signatures.

Held together with Include/garface.h and the library's exports by Tests/abi/check_abi.py.
"""
import ctypes
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p


class Handle(c_void_p):
    """An opaque handle, whatever it stands for."""


LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)
ProgressCallback = ctypes.CFUNCTYPE(c_bool, c_void_p, c_float, c_char_p)
BatchCallback = ctypes.CFUNCTYPE(c_bool, c_void_p, c_int32, c_int32, c_char_p)

_handle_out = POINTER(Handle)
_floats = POINTER(c_float)
_bytes = POINTER(c_uint8)
_ints = POINTER(c_int32)
_chars = POINTER(c_char)
_size_out = POINTER(c_size_t)
_status = c_int32

CONSTANTS = {
    "GAR_OK": 0,
    "GAR_INVALID_ARGUMENT": 1,
    "GAR_BUFFER_TOO_SMALL": 2,
    "GAR_FILE_NOT_FOUND": 3,
    "GAR_FILE_UNREADABLE": 4,
    "GAR_FILE_UNWRITABLE": 5,
    "GAR_MALFORMED_FILE": 6,
    "GAR_UNSUPPORTED_FORMAT": 7,
    "GAR_WRONG_MODEL": 8,
    "GAR_NO_FACE": 9,
    "GAR_TOO_LARGE": 10,
    "GAR_OUT_OF_MEMORY": 11,
    "GAR_CANCELLED": 12,
    "GAR_NUMERICAL_FAILURE": 13,
    "GAR_BUSY": 14,
    "GAR_INTERNAL_ERROR": 15,
    "GAR_RENDERER_GAR": 0,
    "GAR_RENDERER_SH": 1,
    "GAR_RENDERER_LANDMARKS": 2,
    "GAR_RENDERER_START": 3,
    "GAR_PRECISION_SINGLE": 0,
    "GAR_PRECISION_BFLOAT16": 1,
    "GAR_WRITE_PARAMETERS": 1,
    "GAR_WRITE_LANDMARKS": 2,
    "GAR_WRITE_OBJ": 4,
    "GAR_WRITE_PLY": 8,
    "GAR_WRITE_MAPS": 16,
    "GAR_WRITE_PICTURES": 32,
    "GAR_WRITE_OVERLAY": 64,
    "GAR_WRITE_TEXTURE": 128,
    "GAR_WRITE_GLB": 256,
    "GAR_WRITE_ARRAYS": 512,
    "GAR_WRITE_STANDARD": 511,
    "GAR_WRITE_ALL": 1023,
    "GAR_LANDMARKS_BY_COUNT": 0,
    "GAR_LANDMARKS_FIVE": 1,
    "GAR_LANDMARKS_IBUG68": 2,
    "GAR_LANDMARKS_MEDIAPIPE": 3,
    "GAR_LANDMARKS_DLIB5": 4,
    "GAR_ARRAY_IDENTITY": 0,
    "GAR_ARRAY_EXPRESSION": 1,
    "GAR_ARRAY_POSE": 2,
    "GAR_ARRAY_CAMERA": 3,
    "GAR_ARRAY_WPLUS": 4,
    "GAR_ARRAY_NOISE": 5,
    "GAR_ARRAY_LANDMARKS": 6,
    "GAR_ARRAY_LANDMARKS_STATIC": 7,
    "GAR_ARRAY_LANDMARKS_3D": 8,
    "GAR_ARRAY_VERTICES": 9,
    "GAR_ARRAY_VERTICES_POSED": 10,
    "GAR_ARRAY_VERTICES_NEUTRAL": 11,
    "GAR_ARRAY_NORMALS_POSED": 12,
    "GAR_ARRAY_NORMAL_MAP": 13,
    "GAR_ARRAY_DEPTH_MAP": 14,
    "GAR_ARRAY_POSITION_MAP": 15,
    "GAR_ARRAY_PART_MAP": 16,
    "GAR_ARRAY_COLOURS": 17,
    "GAR_ARRAY_VISIBILITY": 18,
    "GAR_ARRAY_UV_POSITION_MAP": 19,
    "GAR_ARRAY_UV_NORMAL_MAP": 20,
    "GAR_ARRAY_UV_PART_MAP": 21,
    "GAR_ARRAY_UV_VISIBILITY": 22,
    "GAR_ARRAY_GAZE": 23,
    "GAR_ARRAY_COVERED_MAP": 24,
    "GAR_PICTURE_CROP": 0,
    "GAR_PICTURE_RENDER": 1,
    "GAR_PICTURE_NORMALS": 2,
    "GAR_PICTURE_OVERLAY": 3,
    "GAR_PICTURE_TEXTURE": 4,
    "GAR_TRACK_CSV": 1,
    "GAR_TRACK_ARRAYS": 2,
    "GAR_TRACK_GLB": 4,
    "GAR_TRACK_ALL": 7,
    "GAR_PICTURE_PHOTO": 5,
}


class Face(ctypes.Structure):
    _fields_ = [("centre_u", c_float), ("centre_v", c_float), ("size", c_float), ("roll", c_float), ("score", c_float)]


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("seed", c_uint64),
        ("renderer", c_int32),
        ("files", c_uint32),
        ("all_faces", c_bool),
        ("landmark_count", c_int32),
        ("landmarks", POINTER(c_float)),
        ("face", POINTER(Face)),
        ("box", POINTER(c_float)),
        ("schedule", c_char_p),
        ("progress", ProgressCallback),
        ("progress_user", c_void_p),
        ("landmark_confidences", POINTER(c_float)),
        ("landmark_scheme", c_int32),
    ]


class ModelFiles(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("head_model", c_char_p),
        ("renderer", c_char_p),
        ("inverse_network", c_char_p),
        ("face_detector", c_char_p),
    ]


class BatchOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("retry_failures", c_bool),
        ("write_manifest", c_bool),
        ("progress", BatchCallback),
        ("progress_user", c_void_p),
    ]


class TrackerOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("renderer", c_int32),
        ("lag", c_int32),
        ("identity_frames", c_int32),
        ("frames_per_second", c_float),
        ("smoothing", c_float),
        ("keep_frames", c_bool),
        ("identity", POINTER(c_float)),
        ("face", POINTER(Face)),
    ]


class TrackedFrame(ctypes.Structure):
    _fields_ = [
        ("index", c_int32),
        ("found", c_bool),
        ("face_probability", c_float),
        ("time", c_double),
        ("yaw", c_float),
        ("pitch", c_float),
        ("roll", c_float),
        ("scale", c_float),
        ("tx", c_float),
        ("ty", c_float),
        ("gaze_yaw", c_float),
        ("gaze_pitch", c_float),
    ]


class Edit(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("yaw", c_float),
        ("pitch", c_float),
        ("roll", c_float),
        ("turn_yaw", c_float),
        ("turn_pitch", c_float),
        ("turn_roll", c_float),
        ("identity", POINTER(c_float)),
        ("expression", POINTER(c_float)),
        ("expressions", c_char_p),
        ("identity_gain", c_float),
        ("expression_gain", c_float),
        ("other", Handle),
        ("mix_identity", c_float),
        ("mix_expression", c_float),
        ("mix_look", c_float),
        ("mix_row", c_int32),
        ("mix_row_end", c_int32),
        ("w_plus", POINTER(c_float)),
        ("look_seed", POINTER(c_uint64)),
        ("mix_seed", POINTER(c_uint64)),
        ("truncation", c_float),
        ("look_gain", c_float),
        ("detail", c_float),
        ("into", Handle),
    ]


STRUCTURES = {
    "gar_face": Face, "gar_options": Options, "gar_model_files": ModelFiles, "gar_batch_options": BatchOptions,
    "gar_tracker_options": TrackerOptions, "gar_tracked_frame": TrackedFrame,
    "gar_edit": Edit,
}

# name: (result, [arguments])
SIGNATURES = {
    # 1. Basics
    "gar_version": (c_int32, []),
    "gar_build_info": (c_char_p, []),
    "gar_status_string": (c_char_p, [_status]),
    "gar_last_error": (c_char_p, []),
    "gar_threads_set": (_status, [c_int32]),
    "gar_log_set": (None, [LogCallback, c_void_p]),
    # 2. Simple
    "gar_options_init": (None, [POINTER(Options)]),
    "gar_landmarks_load": (_status, [c_char_p, _floats, c_size_t, _size_out]),
    "gar_reconstruct_file": (_status, [c_char_p, c_char_p, POINTER(Options)]),
    "gar_view_write": (_status, [c_char_p, c_int32]),
    # 3. Context
    "gar_model_files_init": (None, [POINTER(ModelFiles)]),
    "gar_models_load": (_status, [POINTER(ModelFiles), _handle_out]),
    "gar_models_release": (None, [Handle]),
    "gar_models_get_json": (_status, [Handle, _chars, c_size_t, _size_out]),
    "gar_image_load": (_status, [c_char_p, _handle_out]),
    "gar_image_decode": (_status, [_bytes, c_size_t, _handle_out]),
    "gar_image_create": (_status, [_bytes, c_int32, c_int32, c_size_t, _handle_out]),
    "gar_image_release": (None, [Handle]),
    "gar_image_get_size": (_status, [Handle, _ints, _ints]),
    "gar_image_get_pixels": (_status, [Handle, _bytes, c_size_t, _size_out]),
    "gar_image_write": (_status, [Handle, c_char_p]),
    "gar_faces_detect": (_status, [Handle, Handle, POINTER(Face), c_size_t, _size_out]),
    "gar_reconstruct": (_status, [Handle, Handle, POINTER(Options), _handle_out]),
    "gar_reconstruct_person": (
        _status, [Handle, _handle_out, c_int32, POINTER(Face), POINTER(Options), _handle_out, _ints]),
    "gar_batch_options_init": (None, [POINTER(BatchOptions)]),
    "gar_batch_run": (
        _status,
        [Handle, POINTER(c_char_p), c_size_t, c_char_p, POINTER(Options), POINTER(BatchOptions), _ints, _ints]),
    "gar_result_release": (None, [Handle]),
    "gar_result_get_shape": (_status, [Handle, c_int32, _ints, _ints]),
    "gar_result_get_array": (_status, [Handle, c_int32, _floats, c_size_t, _size_out]),
    "gar_result_get_triangles": (_status, [Handle, _ints, c_size_t, _size_out]),
    "gar_result_get_picture": (_status, [Handle, c_int32, _handle_out]),
    "gar_result_get_glb": (_status, [Handle, _bytes, c_size_t, _size_out]),
    "gar_result_get_json": (_status, [Handle, _chars, c_size_t, _size_out]),
    "gar_result_write": (_status, [Handle, c_char_p, c_uint32]),
    "gar_tracker_options_init": (None, [POINTER(TrackerOptions)]),
    "gar_tracker_create": (_status, [Handle, POINTER(TrackerOptions), _handle_out]),
    "gar_tracker_release": (None, [Handle]),
    "gar_tracker_push": (_status, [Handle, Handle, c_double, _ints]),
    "gar_tracker_finish": (_status, [Handle, _ints]),
    "gar_tracker_pop": (_status, [Handle, POINTER(TrackedFrame), _floats, _floats, _floats]),
    "gar_tracker_get_identity": (_status, [Handle, _floats, c_size_t, _size_out]),
    "gar_tracker_write": (_status, [Handle, c_char_p, c_uint32]),
    "gar_result_load": (_status, [Handle, c_char_p, Handle, _handle_out]),
    "gar_edit_init": (None, [POINTER(Edit)]),
    "gar_result_edit": (_status, [Handle, POINTER(Edit), _handle_out]),
    "gar_result_sweep": (
        _status, [Handle, POINTER(Edit), c_char_p, c_int32, c_char_p, ProgressCallback, c_void_p, _handle_out]),
    # 4. Advanced: head model
    "gar_head_load": (_status, [c_char_p, _handle_out]),
    "gar_head_release": (None, [Handle]),
    "gar_head_get_sizes": (_status, [Handle, _ints, _ints, _ints, _ints]),
    "gar_head_get_json": (_status, [Handle, _chars, c_size_t, _size_out]),
    "gar_head_get_triangles": (_status, [Handle, _ints, c_size_t, _size_out]),
    "gar_head_get_parts": (_status, [Handle, _bytes, c_size_t, _size_out]),
    "gar_head_get_uvs": (_status, [Handle, _floats, c_size_t, _size_out]),
    "gar_head_get_uv_triangles": (_status, [Handle, _ints, c_size_t, _size_out]),
    "gar_head_evaluate": (_status, [Handle, _floats, _floats, _floats]),
    "gar_head_evaluate_backward": (_status, [Handle, _floats, _floats, _floats]),
    "gar_head_evaluate_backward_at": (_status, [Handle, _floats, _floats, _floats, _floats, _floats]),
    "gar_head_normals": (_status, [Handle, _floats, _floats]),
    "gar_head_normals_backward": (_status, [Handle, _floats, _floats, _floats]),
    "gar_head_landmarks": (_status, [Handle, _floats, _floats]),
    "gar_head_landmarks_backward": (_status, [Handle, _floats, _floats]),
    "gar_head_landmarks_contour": (_status, [Handle, _floats, c_float, c_float, c_float, _floats]),
    "gar_head_sample": (_status, [Handle, c_uint64, _floats, _floats]),
    "gar_head_prior": (_status, [Handle, _floats, _floats, _floats, _floats, _floats]),
    "gar_head_depth": (_status, [Handle, _floats, _floats, c_int32, _floats, _bytes]),
    "gar_head_shade": (_status, [Handle, _floats, _floats, _floats, _floats, c_int32, _floats]),
    # 4. Advanced: fits
    "gar_schedule_get_json": (_status, [c_int32, _chars, c_size_t, _size_out]),
    "gar_fit_create": (_status, [Handle, Handle, POINTER(Options), _handle_out]),
    "gar_fit_resume": (_status, [Handle, Handle, POINTER(Options), _handle_out]),
    "gar_fit_release": (None, [Handle]),
    "gar_fit_run": (_status, [Handle, c_char_p, ProgressCallback, c_void_p]),
    "gar_fit_get_result": (_status, [Handle, _handle_out]),
    # 4. Advanced: renderer
    "gar_renderer_set_precision": (_status, [Handle, c_int32]),
    "gar_renderer_load": (_status, [c_char_p, _handle_out]),
    "gar_renderer_release": (None, [Handle]),
    "gar_renderer_get_sizes": (_status, [Handle, _ints, _ints, _ints, _ints, _ints]),
    "gar_renderer_get_json": (_status, [Handle, _chars, c_size_t, _size_out]),
    "gar_renderer_get_mean_w": (_status, [Handle, _floats]),
    "gar_renderer_sample_z": (_status, [Handle, c_uint64, _floats]),
    "gar_renderer_map": (_status, [Handle, _floats, c_float, _floats]),
    "gar_renderer_map_backward": (_status, [Handle, _floats, c_float, _floats, _floats]),
    "gar_renderer_mix": (_status, [Handle, _floats, _floats, c_int32, _floats]),
    "gar_renderer_sample_noise": (_status, [Handle, c_uint64, _floats]),
    "gar_renderer_rasterize": (_status, [Handle, Handle, _floats, _floats, _floats]),
    "gar_renderer_rasterize_backward": (_status, [Handle, _floats, _floats, _floats]),
    "gar_renderer_render": (_status, [Handle, _floats, _floats, _floats, _floats]),
    "gar_renderer_render_backward": (_status, [Handle, _floats, _floats, _floats, _floats]),
    "gar_image_from_picture": (_status, [_floats, c_int32, c_int32, _handle_out]),
    "gar_pose_matrix": (_status, [c_float, c_float, c_float, _floats]),
    "gar_pose_angles": (_status, [_floats, _floats, _floats, _floats]),
}

_NAMES = {
    c_int32: "i32", c_uint32: "u32", c_uint64: "u64", c_size_t: "size", c_float: "f32", c_double: "f64", c_bool: "bool",
    c_uint8: "u8", c_char: "char", c_char_p: "char*", c_void_p: "void*", Handle: "handle", None: "void",
    ProgressCallback: "gar_progress_callback", LogCallback: "gar_log_callback",
    BatchCallback: "gar_batch_callback",
}


def type_name(kind):
    """The type in the words of check_abi.py; ctypes does not know const."""
    if kind in _NAMES:
        return _NAMES[kind]
    for name, structure in STRUCTURES.items():
        if kind is structure:
            return name
    return type_name(kind._type_) + "*"
