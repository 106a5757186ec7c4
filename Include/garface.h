#ifndef GARFACE_H
#define GARFACE_H
#endif
