void garface_codecs(void);
