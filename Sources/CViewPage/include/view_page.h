/* The fixed parts of the page that shows a result, as text that ends with a zero byte. */
#pragma once

enum { GARFACE_VIEW_HEAD = 0, GARFACE_VIEW_STYLE = 1, GARFACE_VIEW_BODY = 2, GARFACE_VIEW_SCRIPT = 3 };

const char *garface_view_page(int part);
