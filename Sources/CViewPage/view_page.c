#include "view_page.h"

static const char head[] = {
#embed "page/head.html"
    , 0};
static const char style[] = {
#embed "page/view.css"
    , 0};
static const char body[] = {
#embed "page/body.html"
    , 0};
static const char script[] = {
#embed "page/view.js"
    , 0};

const char *garface_view_page(int part) {
    switch (part) {
        case GARFACE_VIEW_HEAD: return head;
        case GARFACE_VIEW_STYLE: return style;
        case GARFACE_VIEW_BODY: return body;
        case GARFACE_VIEW_SCRIPT: return script;
        default: return "";
    }
}
