/* A face changed and put back into its photo, in C:  edit photo.png edited.png */
#include <garface.h>
#include <stdio.h>

int main(int argc, char **argv) {
    gar_models *models = NULL;
    gar_image *photo = NULL, *picture = NULL;
    gar_result *face = NULL, *edited = NULL;
    gar_edit edit;
    if (argc != 3) {
        fprintf(stderr, "usage: %s photo.png edited.png\n", argv[0]);
        return 2;
    }
    gar_edit_init(&edit);
    edit.turn_yaw = 12;                                   /* degrees, to the subject's left */
    edit.expressions = "jawOpen=0.4, browInnerUp=0.8";
    edit.identity_gain = 1.2f;

    gar_status status = gar_models_load(NULL, &models);
    if (status == GAR_OK) status = gar_image_load(argv[1], &photo);
    if (status == GAR_OK) status = gar_reconstruct(models, photo, NULL, &face);
    if (status == GAR_OK) status = gar_result_edit(face, &edit, &edited);
    if (status == GAR_OK) status = gar_result_get_picture(edited, GAR_PICTURE_PHOTO, &picture);
    if (status == GAR_OK) status = gar_image_write(picture, argv[2]);
    if (status != GAR_OK) fprintf(stderr, "%s\n", gar_last_error());

    gar_image_release(picture);
    gar_result_release(edited);
    gar_result_release(face);
    gar_image_release(photo);
    gar_models_release(models);
    return status == GAR_OK ? 0 : 1;
}
