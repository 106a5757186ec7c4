print("garface")
